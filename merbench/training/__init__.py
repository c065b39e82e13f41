"""The committed recipes by which models are trained, and the one loop that follows them."""

from merbench.training._trainable import Attackable, Outputs, Row, Trainable

__all__ = ["Attackable", "Outputs", "Row", "Trainable"]
