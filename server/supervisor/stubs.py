"""The Python stubs of a tritonserver, seen in the process table: which models lack one that they had."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

STUB: Final = "triton_python_backend_stub"


class Loaded(NamedTuple):
    """A version of a model."""

    model: str
    version: str


def living_stubs(pid: int) -> dict[int, Loaded]:
    """The stubs that the tritonserver with this process id has started and that still run: their ids, and of what."""
    found = {}
    for child in _children(pid):
        with suppress(OSError):  # gone meanwhile
            command = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace").split("\0")
            # A stub's first argument is the file it serves, <model>/<version>/<file>; a zombie has none.
            if command[0].endswith(STUB):
                found[child] = Loaded(*Path(command[1]).parts[-3:-1])
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, listed.read_text().split())
    return found


class StubWatch:
    """Remembers the stubs of one server."""

    def __init__(self) -> None:
        self._known: dict[int, Loaded] = {}
        self._fewer: set[Loaded] = set()

    def dead(
        self, living: Mapping[int, Loaded], ready: Callable[[], set[Loaded]], instances: Callable[[str], int]
    ) -> frozenset[str]:
        """The models that are said to be ready and have fewer stubs than instances.

        A stub that was told to end, because its model was unloaded or loaded anew, is no loss. `ready` says which
        versions Triton calls ready, `instances` how many a model has; they are asked only after a stub has gone, and
        have to be later than `living`.
        """
        self._fewer |= {loaded for pid, loaded in self._known.items() if pid not in living}
        self._known = dict(living)
        if not self._fewer:
            return frozenset()
        count = Counter(living.values())
        self._fewer = {each for each in self._fewer & ready() if count[each] < instances(each.model)}
        return frozenset(each.model for each in self._fewer)
