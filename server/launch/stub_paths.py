"""Paths that reach Triton's Python stubs."""

import re

from server.errors import LaunchError

# Triton starts the stubs with an unquoted bash command line, and their Python decodes paths as ASCII. With other
# characters, Triton waits for the stub forever, or reports that files do not exist.
UNSAFE = re.compile(r"[^!-~]|[\"'$&;()<>|*?`\\]")


def check_stub_path(name: str, path: str, remedy: str) -> None:
    """Reject a path that the stubs cannot use.

    Raises:
        LaunchError: It has a space, a shell character or a character outside ASCII.
    """
    if UNSAFE.search(path):
        raise LaunchError(
            f"the path of {name} '{path}' has a space, a shell character or a character outside ASCII; {remedy}"
        )


def check_environment_path(path: str) -> None:
    """Reject a path of the Python environment that the stubs cannot import from; a space does not disturb them.

    Raises:
        LaunchError: It has a character outside ASCII.
    """
    if not path.isascii():
        raise LaunchError(
            f"the path of the Python environment '{path}' has a character outside ASCII; move this folder elsewhere "
            "and install again"
        )
