"""Files and running servers changed together: where one fails, all are as they were."""

from collections.abc import Sequence

from .errors import LifecycleError, ServerError
from .files import Changes, write
from .servers import Server


def carry_out(changes: Changes, servers: Sequence[Server]) -> None:
    """Write the files, and let every server follow them.

    Raises:
        LifecycleError: something failed; it says what is served now, and what to do.
    """
    for server in servers:
        server.check()
    undo = write(changes)
    for number, server in enumerate(servers, start=1):
        try:
            server.follow(changes)
        except ServerError as exc:
            write(undo)
            raise LifecycleError(_taken_back(exc, undo, servers[:number])) from exc


def _taken_back(error: ServerError, undo: Changes, servers: Sequence[Server]) -> str:
    """Why it failed, and how far it could be taken back on these servers."""
    stuck = []
    for server in servers:
        try:
            server.follow(undo)
        except ServerError:
            stuck.append(server.url)
    if stuck:
        return f"{error}; the files are as before, but {', '.join(stuck)} could not be brought back: start it anew"
    return f"{error}; all is served as before"
