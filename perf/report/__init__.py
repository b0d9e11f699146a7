"""Experiments as tables, charts and one results document."""
