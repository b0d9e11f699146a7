"""Errors of this package; every message is one line that says what to do."""


class LaunchError(Exception):
    """Triton cannot be started with these flags or files."""


class ControlError(Exception):
    """A running Triton refused a command, or did not answer in time."""


class RolloutError(Exception):
    """A rollout command cannot be carried out; nothing is changed unless the message says so."""
