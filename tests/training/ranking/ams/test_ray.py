"""On Ray, a worker and a server that are killed in the middle of a step change nothing of the result."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.training.ranking.ams.dying import DyingServer, DyingWorker
from tests.training.ranking.ams.jobs import COMPRESSION, ROWS, Files, write_files
from training.ranking.ams.job import Job, Layout
from training.ranking.ams.ray_peer import RayPeer, local_cluster

DYING = {"server 1": DyingServer, "worker 0": DyingWorker}
SERVERS = 2


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return write_files(tmp_path_factory.mktemp("ams"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with local_cluster():
        yield


def make_dying(name: str, kind: type, *arguments: Any) -> RayPeer:
    return RayPeer(name, DYING.get(name, kind), *arguments)


@pytest.mark.usefixtures("cluster")
def test_killed_worker_and_server_lose_nothing(files: Files) -> None:
    job = Job(Layout.AMS, files.vectors, files.samples, COMPRESSION, SERVERS)
    local, remote = job.start(), job.start(make_dying)
    for rows in ROWS:
        assert remote.step(rows) == pytest.approx(local.step(rows), abs=1e-6)
    assert {file.name for file in files.vectors.parent.glob("* died")} == {"server 1 died", "worker 0 died"}
    assert remote.retries == 2
    np.testing.assert_allclose(remote.compressor(), local.compressor(), atol=1e-6)
    np.testing.assert_allclose(remote.towers.theta, local.towers.theta, atol=1e-6)
