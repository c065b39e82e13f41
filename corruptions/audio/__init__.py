"""Corruptions of the family 'audio'."""
