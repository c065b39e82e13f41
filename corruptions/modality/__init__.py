"""Corruptions of the family 'modality'."""
