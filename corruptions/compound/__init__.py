"""Several corruptions at once, as life has them, in a fixed order."""
