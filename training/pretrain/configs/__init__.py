"""Configs of pretraining runs; each has a function `get_config()`."""
