"""Corruptions of the family 'text'."""
