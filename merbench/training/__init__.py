"""The committed recipes by which models are trained, and the one loop that follows them."""

from merbench.training._trainable import Row, Trainable

__all__ = ["Row", "Trainable"]
