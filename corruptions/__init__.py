"""The built-in catalogue: one corruption per file, named by its path."""
