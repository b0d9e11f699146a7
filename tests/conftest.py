"""Fixtures that more than one folder uses."""

from collections.abc import Iterator

import pytest

from tests.tritonserver import ROOT, Server, running_triton


@pytest.fixture(scope="session")
def triton() -> Iterator[Server]:
    """The project's own model repository, served once for all tests that ask."""
    with running_triton(ROOT / "model_repository") as server:
        yield server
