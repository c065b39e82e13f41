"""Where Emotion-LLaMA, whose code is part of its fingerprint, looks for `merbench.pretrained`."""

from merbench.pretrained import content, find_checkpoint

__all__ = ["content", "find_checkpoint"]
