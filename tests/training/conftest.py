"""Modules whose trainings are short run them eagerly, on small towers."""

from collections.abc import Iterator

import pytest

from tests.support.training.eager import eagerly
from tests.support.training.stand_in import small_towers


@pytest.fixture(scope="module")
def eager() -> Iterator[None]:
    with eagerly():
        yield


@pytest.fixture
def towers() -> Iterator[None]:
    with small_towers():
        yield
