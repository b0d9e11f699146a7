"""What a client of grpc-go sees of the reverse proxy's refusals. It is stricter than grpcio about HTTP/2.

apt-get install golang-go golang-google-grpc-dev     # else these tests are skipped
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from server.edge.access_policy import AccessPolicy
from server.edge.reverse_proxy import running_reverse_proxy
from tests.support.server.edge import EdgeFiles
from tests.support.tritonserver import ROOT

SOURCES = Path("/usr/share/gocode")
INFER, INDEX = (f"/inference.GRPCInferenceService/{name}" for name in ("ModelInfer", "RepositoryIndex"))
HEALTH = "/inference.GRPCInferenceService/ServerLive"

pytestmark = pytest.mark.skipif(
    shutil.which("go") is None or not (SOURCES / "src/google.golang.org/grpc").is_dir(), reason="grpc-go is missing"
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("go") / "client"
    source = ROOT / "tests" / "support" / "server" / "go_client" / "main.go"
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(SOURCES), "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", program, source], env=environment, check=True, capture_output=True)
    return program


def statuses(client: Path, policy: AccessPolicy, *methods: str) -> list[tuple[str, str]]:
    """Call a reverse proxy whose Triton is gone; return the code and the first word of each message."""
    with running_reverse_proxy("127.0.0.1:1", "127.0.0.1:2", policy) as proxy:
        done = subprocess.run([client, proxy.grpc_url, *methods], capture_output=True, text=True, check=True)
    lines = [line.split(": ") for line in done.stdout.splitlines()]
    return [(code, reason) for code, reason, *_ in lines]


@pytest.mark.usefixtures("nginx")
def test_unknown_client(client: Path, files: EdgeFiles) -> None:
    policy = AccessPolicy(clients=files.clients)
    assert statuses(client, policy, INFER, INDEX) == [("Unauthenticated", "unauthenticated")] * 2
    assert statuses(client, policy, HEALTH) == [("Unavailable", "unavailable")]


@pytest.mark.usefixtures("nginx")
def test_refusals_have_their_codes(client: Path) -> None:
    assert statuses(client, AccessPolicy(), INFER, INDEX) == [
        ("Unavailable", "unavailable"),
        ("Unimplemented", "not served here"),
    ]
    # The first request passes, and as many as a burst of one second.
    assert statuses(client, AccessPolicy(rate=1), INFER, INFER, INFER)[-1] == ("ResourceExhausted", "overloaded")
