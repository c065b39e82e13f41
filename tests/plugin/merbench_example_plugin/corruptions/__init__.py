"""Corruptions: `text/lost_vowels.py` is `text/lost_vowels`."""
