"""Run a model over the cells of a suite and score what it answered."""
