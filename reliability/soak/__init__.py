"""Constant load for a long time."""
