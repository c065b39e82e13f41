"""merbench: how far a multimodal emotion recognition model can be trusted when the input is spoilt."""

__version__ = "0.1.0"
