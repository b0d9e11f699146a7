"""A server with scripted answers for the load generators."""

from collections.abc import Iterator

import pytest

from tests.support.perf.scripted import scripted_server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with scripted_server() as url:
        yield url
