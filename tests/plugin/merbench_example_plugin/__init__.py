"""A plug-in for merbench."""
