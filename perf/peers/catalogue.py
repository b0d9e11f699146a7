"""The peers: how each is started, as its own documentation recommends, and what its requests look like."""

import json
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from genderprep.tensors import AVATAR, LABELS, NICKNAME
from server.catalog import Catalog

from ..load.http_client_load import Request, triton_request
from ..load.predictor import WORKERS
from ..load.served import REPOSITORY
from ..load.workload import SyntheticUser

APPS: Final = "perf.peers.apps"
ENVIRONMENTS: Final = Path(sys.prefix) / "peers"
TRITON: Final = "Triton"
FASTAPI: Final = "FastAPI"


@dataclass(frozen=True)
class Peer:
    """A server to compare.

    Attributes:
        name: Its name in tables.
        setup: How it is configured.
        environment: The virtual environment that has it.
        command: Its command line. `{bin}` stands for the programs of the environment, `{folder}` for an empty folder,
            `{http}`, `{grpc}` and `{metrics}` for free ports, and `{backbone}` for the measured one.
        request: Encodes a user as a request to the ensemble of a backbone.
        probabilities: Extracts the probabilities of `LABELS` from the JSON of an answer.
        variables: Environment variables, with the same placeholders.
    """

    name: str
    setup: str
    environment: Path
    command: Sequence[str]
    request: Callable[[str, SyntheticUser], Request]
    probabilities: Callable[[Any], list[float]]
    variables: Sequence[tuple[str, str]] = ()


def binary_request(backbone: str, user: SyntheticUser) -> Request:
    """Encode a user for Triton's ensemble of a backbone."""
    return triton_request(Catalog(REPOSITORY).ensemble(backbone).name, user)


def body_request(path: str, _: str, user: SyntheticUser) -> Request:
    """Send the picture as the body and the nickname in the query."""
    address = f"{path}?nickname={quote(user.nickname)}"
    return Request(address, {"Content-Type": "application/octet-stream"}, user.avatar)


def json_request(_: str, user: SyntheticUser) -> Request:
    """Send both as JSON, the picture in base64."""
    content = {"avatar": b64encode(user.avatar).decode(), "nickname": user.nickname}
    return Request("/predict", {"Content-Type": "application/json"}, json.dumps(content).encode())


def protocol_request(_: str, user: SyntheticUser) -> Request:
    """Send both in the JSON of the Open Inference Protocol, the picture in base64."""
    avatar = {"name": AVATAR, "parameters": {"content_type": "base64"}, "data": [b64encode(user.avatar).decode()]}
    nickname = {"name": NICKNAME, "parameters": {"content_type": "str"}, "data": [user.nickname]}
    content = {"inputs": [{"shape": [1, 1], "datatype": "BYTES", **tensor} for tensor in (avatar, nickname)]}
    return Request("/v2/models/gender/infer", {"Content-Type": "application/json"}, json.dumps(content).encode())


def by_label(answer: Any) -> list[float]:
    """Read an answer like `{"male": 0.2, "female": 0.8}`."""
    return [answer[label] for label in LABELS]


def of_tensor(answer: Any) -> list[float]:
    """Read an answer of the Open Inference Protocol with one tensor."""
    probabilities: list[float] = answer["outputs"][0]["data"]
    return probabilities


PEERS: Final = (
    Peer(
        TRITON,
        f"this repository: {WORKERS} instances of each model; Open Inference Protocol, binary",
        Path(sys.prefix),
        [
            "{bin}/python",
            "-m",
            "server.launch.launcher",
            "--model-repository=model_repository",
            "--http-port={http}",
            "--grpc-port={grpc}",
            "--metrics-port={metrics}",
            "--model-control-mode=explicit",
            "--load-model=gender_{backbone}",
        ],
        binary_request,
        of_tensor,
    ),
    Peer(
        FASTAPI,
        f"uvicorn, {WORKERS} workers; the picture is the body",
        ENVIRONMENTS / "fastapi",
        [
            "{bin}/uvicorn",
            f"{APPS}.fastapi_app:app",
            "--host=127.0.0.1",
            "--port={http}",
            f"--workers={WORKERS}",
            "--no-access-log",
            "--log-level=warning",
        ],
        partial(body_request, "/predict"),
        by_label,
    ),
    Peer(
        "LitServe",
        f"{WORKERS} workers, {WORKERS} API servers, fast queue; JSON",
        ENVIRONMENTS / "litserve",
        ["{bin}/python", "-m", f"{APPS}.litserve_app", "{http}"],
        json_request,
        by_label,
    ),
    Peer(
        "BentoML",
        f"{WORKERS} workers; JSON",
        ENVIRONMENTS / "bentoml",
        ["{bin}/bentoml", "serve", f"{APPS}.bentoml_app:Gender", "--host=127.0.0.1", "--port={http}"],
        json_request,
        by_label,
    ),
    Peer(
        "MLServer",
        f"{WORKERS} parallel workers; Open Inference Protocol, JSON",
        ENVIRONMENTS / "mlserver",
        ["{bin}/mlserver", "start", "{folder}"],
        protocol_request,
        of_tensor,
        (
            ("MLSERVER_HOST", "127.0.0.1"),
            ("MLSERVER_HTTP_PORT", "{http}"),
            ("MLSERVER_GRPC_PORT", "{grpc}"),
            ("MLSERVER_METRICS_PORT", "{metrics}"),
            ("MLSERVER_PARALLEL_WORKERS", str(WORKERS)),
            ("MLSERVER_DEBUG", "false"),
            ("MLSERVER_MODEL_NAME", "gender"),
            ("MLSERVER_MODEL_IMPLEMENTATION", f"{APPS}.mlserver_app.Gender"),
        ),
    ),
    Peer(
        "Ray Serve",
        f"{WORKERS} replicas; the picture is the body",
        ENVIRONMENTS / "ray",
        ["{bin}/python", "-m", f"{APPS}.ray_app", "{http}"],
        partial(body_request, "/"),
        by_label,
    ),
)
