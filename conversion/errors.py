"""What can go wrong in a conversion."""


class ConversionError(RuntimeError):
    """A model cannot be converted, or the converted one deviates too far; the message states what, and the limit."""
