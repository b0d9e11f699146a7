"""Errors of any training run."""


class ConfigError(ValueError):
    """A config or a weights file cannot be used; the message names it and says what was expected."""
