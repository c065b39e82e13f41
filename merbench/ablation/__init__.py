"""Ablations: which way of hardening helps against which noise, over training seeds, and what it costs."""
