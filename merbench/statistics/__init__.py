"""Findings that hold for new speakers: units of analysis, paired intervals, tests, plain words."""
