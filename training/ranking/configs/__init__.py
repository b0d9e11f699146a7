"""Configs of rankers; each has a function `get_config()`."""
