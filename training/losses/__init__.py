"""Losses, one idea per file. Each is a config value that builds its Keras loss."""
