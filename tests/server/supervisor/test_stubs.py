"""Which models lack a stub, from invented process tables."""

import os
from collections.abc import Iterable

from server.supervisor.stubs import StubWatch, living_stubs
from server.triton_control import ModelVersion

OLD, NEW, OTHER = ModelVersion("network", "1"), ModelVersion("network", "2"), ModelVersion("prepare", "1")


def dead(watch: StubWatch, living: dict[int, ModelVersion], ready: Iterable[ModelVersion]) -> set[str]:
    """The dead models if each model has two instances."""
    return set(watch.dead(living, lambda: set(ready), lambda _: 2))


def test_model_is_dead_until_it_has_enough_stubs_again() -> None:
    watch = StubWatch()
    assert dead(watch, {1: OLD, 2: OLD, 3: OTHER, 4: OTHER}, [OLD, OTHER]) == set()
    for _ in range(2):
        assert dead(watch, {2: OLD, 3: OTHER, 4: OTHER}, [OLD, OTHER]) == {"network"}
    assert dead(watch, {2: OLD, 5: OLD, 6: OLD, 3: OTHER, 4: OTHER}, [OLD, OTHER]) == set()
    assert dead(watch, {5: OLD, 6: OLD, 3: OTHER, 4: OTHER}, [OLD, OTHER]) == set()


def test_unloaded_model_is_not_dead() -> None:
    watch = StubWatch()
    dead(watch, {1: OLD, 2: OLD}, [OLD])
    assert dead(watch, {2: OLD}, []) == set()
    assert dead(watch, {}, []) == set()


def test_replaced_version_is_not_dead() -> None:
    watch = StubWatch()
    dead(watch, {1: OLD, 2: OLD}, [OLD])
    assert dead(watch, {1: OLD, 2: OLD, 3: NEW, 4: NEW}, [NEW]) == set()
    assert dead(watch, {3: NEW, 4: NEW}, [NEW]) == set()
    assert dead(watch, {4: NEW}, [NEW]) == {"network"}


def test_triton_is_queried_only_after_a_stub_ended() -> None:
    def unexpected(*_: object) -> set[ModelVersion]:
        raise AssertionError("queried")

    watch = StubWatch()
    for living in ({1: OLD}, {1: OLD, 2: OLD}):
        assert watch.dead(living, unexpected, lambda _: 2) == set()


def test_process_without_stubs() -> None:
    assert living_stubs(os.getpid()) == {}
