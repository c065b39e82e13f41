"""Models: `mood_words.py` is `mood-words`."""
