"""The gate in continuous integration: does a new model still stand the noise that the last one stood?"""
