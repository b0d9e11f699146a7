"""Why a release is refused."""


class ReleaseError(Exception):
    """The tree cannot be released; the message says why and what to do."""
