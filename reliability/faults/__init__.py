"""Faults on purpose, under load: what users notice of them, and for how long."""
