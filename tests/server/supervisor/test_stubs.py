"""Which models lack a stub, from process tables that are made up."""

import os
from collections.abc import Iterable

from server.supervisor.stubs import Loaded, StubWatch, living_stubs

OLD, NEW, OTHER = Loaded("network", "1"), Loaded("network", "2"), Loaded("prepare", "1")


def look(watch: StubWatch, living: dict[int, Loaded], ready: Iterable[Loaded]) -> set[str]:
    return set(watch.dead(living, lambda: set(ready), lambda _: 2))


def test_a_stub_that_is_gone_is_missed_until_there_are_enough_again() -> None:
    watch = StubWatch()
    assert look(watch, {1: OLD, 2: OLD, 3: OTHER, 4: OTHER}, [OLD, OTHER]) == set()
    for _ in range(2):
        assert look(watch, {2: OLD, 3: OTHER, 4: OTHER}, [OLD, OTHER]) == {"network"}
    assert look(watch, {2: OLD, 5: OLD, 6: OLD, 3: OTHER, 4: OTHER}, [OLD, OTHER]) == set()
    assert look(watch, {5: OLD, 6: OLD, 3: OTHER, 4: OTHER}, [OLD, OTHER]) == set()


def test_an_unloaded_model_misses_nothing() -> None:
    watch = StubWatch()
    look(watch, {1: OLD, 2: OLD}, [OLD])
    assert look(watch, {2: OLD}, []) == set()
    assert look(watch, {}, []) == set()


def test_nor_does_the_old_version_of_a_model() -> None:
    watch = StubWatch()
    look(watch, {1: OLD, 2: OLD}, [OLD])
    assert look(watch, {1: OLD, 2: OLD, 3: NEW, 4: NEW}, [NEW]) == set()
    assert look(watch, {3: NEW, 4: NEW}, [NEW]) == set()
    assert look(watch, {4: NEW}, [NEW]) == {"network"}


def test_triton_is_asked_only_when_a_stub_has_gone() -> None:
    def unexpected(*_: object) -> set[Loaded]:
        raise AssertionError("asked")

    watch = StubWatch()
    for living in ({1: OLD}, {1: OLD, 2: OLD}):
        assert watch.dead(living, unexpected, lambda _: 2) == set()


def test_a_process_without_stubs_has_none() -> None:
    assert living_stubs(os.getpid()) == {}
