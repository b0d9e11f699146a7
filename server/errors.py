"""The one error of the launcher."""


class LaunchError(Exception):
    """Triton cannot be started; the message is one line that says what to do."""
