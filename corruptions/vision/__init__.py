"""Corruptions of the family 'vision'."""
