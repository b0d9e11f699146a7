"""A response cache must not answer for a model that may be dead."""

from collections.abc import Callable, Iterator

import pytest

from genderclient import Client
from server.catalog import GENDER, Catalog
from server.supervisor.canary import CanaryClient
from server.supervisor.snapshot import Verdict
from tests.support.scrape import total, total_once
from tests.support.tritonserver import ROOT, Server, running_gender_models

LOOKUPS, HITS = "nv_cache_num_lookups", "nv_cache_num_hits"


@pytest.fixture(scope="module")
def caching() -> Iterator[Server]:
    with running_gender_models("--cache-config=local,size=1048576", "--metrics-interval-ms=100") as server:
        yield server


def hits_of(server: Server, lookups: int, ask: Callable[[], object]) -> float:
    """The hits that are counted while `ask` causes so many lookups."""
    looked_up, hit = total(server, LOOKUPS), total(server, HITS)
    ask()
    assert total_once(server, looked_up + lookups, LOOKUPS) == looked_up + lookups
    return total(server, HITS) - hit


def test_canaries_reach_the_models(caching: Server) -> None:
    ensembles = Catalog(ROOT / "model_repository").ensembles(GENDER)

    def ask() -> None:
        for _ in range(2):
            assert {result.verdict for result in canaries.send(ensembles).values()} == {Verdict.ANSWERED}

    with CanaryClient(caching.grpc_url) as canaries:
        assert hits_of(caching, 2 * len(ensembles), ask) == 0


def test_probes_reach_the_models(caching: Server) -> None:
    with Client(f"grpc://{caching.grpc_url}") as client:
        assert hits_of(caching, 2, lambda: [client.is_ready(), client.is_ready()]) == 0
        assert hits_of(caching, 2, lambda: [client.predict(nickname="a") for _ in range(2)]) == 1
