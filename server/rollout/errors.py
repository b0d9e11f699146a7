"""What ends a command of this folder."""


class LifecycleError(Exception):
    """What was asked for cannot be done; the message is for the operator: what is wrong, and what to do."""


class ServerError(LifecycleError):
    """A running server refused, or did not answer."""
