"""Classifiers of the transformers library: where one lies (`source`), what it reads (`inputs`), `adapter`."""
