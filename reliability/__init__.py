"""What breaks the product: malformed input, faults, overload, time."""
