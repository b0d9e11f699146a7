"""A response cache must not answer for a model that may be dead."""

from collections.abc import Iterator

import pytest

from genderclient import Client
from server.catalog import GENDER, Catalog
from server.supervisor.canary import CanaryClient
from server.supervisor.snapshot import Verdict
from tests.support.scrape import total, total_once
from tests.support.tritonserver import ROOT, Server, running_gender_models

HITS = "nv_cache_num_hits_per_model"
ENSEMBLE = "gender_mobilenet"


@pytest.fixture(scope="module")
def caching() -> Iterator[Server]:
    with running_gender_models("--cache-config=local,size=1048576") as server:
        yield server


def test_canaries_reach_the_models(caching: Server) -> None:
    ensembles = Catalog(ROOT / "model_repository").ensembles(GENDER)
    with CanaryClient(caching.grpc_url) as canaries:
        results = [*canaries.send(ensembles).values(), *canaries.send(ensembles).values()]
    assert {result.verdict for result in results} == {Verdict.ANSWERED}
    assert total(caching, HITS) == 0


def test_probes_reach_the_models(caching: Server) -> None:
    with Client(f"grpc://{caching.grpc_url}") as client:
        assert [client.is_ready(), client.is_ready()] == [True, True]
        assert total(caching, HITS) == 0
        for _ in range(2):
            client.predict(nickname="a")
    assert total_once(caching, 1, HITS, model=ENSEMBLE) == 1
