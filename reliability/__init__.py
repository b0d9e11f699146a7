"""Experiments on what breaks the product: malformed input, faults, overload and time."""
