"""What `docs/cards.py` makes the pages of the corruptions and the catalogue from."""
