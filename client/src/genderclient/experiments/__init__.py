"""A/B experiments and shadow requests."""
