"""Steady load for a long time."""
