"""Modules whose trainings are short run them eagerly."""

from collections.abc import Iterator

import pytest

from tests.support.training.eager import eagerly


@pytest.fixture(scope="module")
def eager() -> Iterator[None]:
    with eagerly():
        yield
