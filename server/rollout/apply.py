"""Changes files and running servers together; if one fails, all are restored."""

from collections.abc import Sequence

from server.errors import ControlError, RolloutError
from server.triton_control import TritonControl

from .files import FileChanges, write_changes
from .follow import check_controllable, follow


def apply(changes: FileChanges, servers: Sequence[TritonControl]) -> None:
    """Write the files and make every server follow them.

    Raises:
        ControlError: A server cannot be controlled; nothing is changed.
        RolloutError: A change failed; the message says what is served now.
    """
    for server in servers:
        check_controllable(server)
    undo = write_changes(changes)
    for number, server in enumerate(servers, start=1):
        try:
            follow(server, changes)
        except ControlError as exc:
            write_changes(undo)
            raise RolloutError(f"{exc}; {_restore(undo, servers[:number])}") from exc


def _restore(undo: FileChanges, servers: Sequence[TritonControl]) -> str:
    """Make the servers follow the restored files; returns a summary."""
    failed = []
    for server in servers:
        try:
            follow(server, undo)
        except ControlError:
            failed.append(server.url)
    if failed:
        return f"the files are restored, but {', '.join(failed)} could not be restored: restart it"
    return "everything is served as before"
