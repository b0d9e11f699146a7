"""The commands on a supervised server whose files only its own user can change."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genderclient import Client
from reliability.faults.replica import Replica
from reliability.faults.sandboxes import Sandbox
from server.checksums import record_all
from server.edge.admin_lock import KEY_VARIABLE
from tests.server.rollout.conftest import Rollout
from tests.support.server.background_requests import background_requests
from tests.support.server.gender_models import p_female, write_repository

STABLE, CANARY = "gender_mobilenet", "gender_mobilenet_canary"
KEY = "its key"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """It has its own cache, and thus its own copy of the files, and its own key, as another user's would."""
    folder = tmp_path_factory.mktemp("other")
    cache = tmp_path_factory.mktemp("cache")
    replica = Replica(folder, Sandbox(environment={"XDG_CACHE_HOME": str(cache), KEY_VARIABLE: KEY}))
    record_all(write_repository(replica.repository))
    replica.start()
    try:
        replica.wait(replica.is_ready, "ready")
        yield replica
    finally:
        replica.kill()


@pytest.fixture
def repository(server: Replica) -> Path:
    return server.repository


def test_commands_reach_the_copy_of_another_user(
    rollout: Rollout, server: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.grpc_url
    with pytest.raises(SystemExit, match=f"restricted.*set {KEY_VARIABLE}"):
        rollout("canary", "mobilenet", "3", "--url", url)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with background_requests([url], STABLE) as stable, Client(f"grpc://{url}") as client:
        rollout("canary", "mobilenet", "3", "--url", url)
        assert client.predict(nickname="小美", model=CANARY).version == "3"
        rollout("promote", "mobilenet", "--url", url)
        assert stable.sample() == {("3", p_female(3))}
        rollout("rollback", "mobilenet", "--url", url)
        assert stable.sample() == {("2", p_female(2))}
        rollout("end", "mobilenet", "--url", url)
        assert stable.answers() == {("2", p_female(2)), ("3", p_female(3))}
    assert server.is_ready()


def test_changed_file_does_not_reach_the_copy(server: Replica) -> None:
    """Only what is recorded does."""
    before = len(server.actions())
    (server.repository / "mobilenet" / "3" / "model.onnx").write_bytes(b"changed")
    manifest = server.repository / "SHA256SUMS"
    manifest.write_text(manifest.read_text())
    server.wait(lambda: len(server.actions()) >= before + 2, "noticed", 10)
    time.sleep(0.1)
    changed, rejected = server.actions()[before:]
    assert changed == "taking over the files that were recorded"
    assert "mobilenet/3/model.onnx has changed since it was recorded" in rejected
    assert server.is_ready()
