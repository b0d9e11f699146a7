"""Finds the models that lost a Python stub, from the process table."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.triton_control import ModelVersion

STUB: Final = "triton_python_backend_stub"


def living_stubs(pid: int) -> dict[int, ModelVersion]:
    """The running stubs of the tritonserver with this process id, by process id."""
    stubs = {}
    for child in _children(pid):
        with suppress(OSError):  # it ended meanwhile
            command = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace").split("\0")
            # A stub's first argument is the file it serves, <model>/<version>/<file>; a zombie has none.
            if command[0].endswith(STUB):
                stubs[child] = ModelVersion(*Path(command[1]).parts[-3:-1])
    return stubs


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            children += map(int, listing.read_text().split())
    return children


class StubWatch:
    """Remembers the stubs of one server between two looks."""

    def __init__(self) -> None:
        self._known: dict[int, ModelVersion] = {}
        self._suspects: set[ModelVersion] = set()

    def dead(
        self,
        living: Mapping[int, ModelVersion],
        ready: Callable[[], set[ModelVersion]],
        instances: Callable[[str], int],
    ) -> frozenset[str]:
        """The models that Triton reports as ready although they have fewer stubs than instances.

        A stub that ended because its model was unloaded or reloaded does not count.

        Args:
            living: The running stubs by process id.
            ready: Reads the versions that Triton reports as ready. Called only after a stub ended, and after `living`
                was read.
            instances: Reads how many instances a model has; called as `ready` is.
        """
        self._suspects |= {version for pid, version in self._known.items() if pid not in living}
        self._known = dict(living)
        if not self._suspects:
            return frozenset()
        count = Counter(living.values())
        self._suspects = {each for each in self._suspects & ready() if count[each] < instances(each.model)}
        return frozenset(each.model for each in self._suspects)
