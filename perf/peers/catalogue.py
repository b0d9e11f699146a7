"""Who is compared: how each is started, as its own documentation recommends, and how it is asked over HTTP."""

import json
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from genderprep.tensors import AVATAR, LABELS, NICKNAME

from ..load.http_client_load import Request, triton_request
from ..load.workload import User
from .apps.predictor import WORKERS

APPS: Final = "perf.peers.apps"
ENVIRONMENTS: Final = Path(sys.prefix) / "peers"
TRITON: Final = "Triton"
FASTAPI: Final = "FastAPI"

Ports = Sequence[int]


@dataclass(frozen=True)
class Peer:
    """A server: its command, a user as a request to it, and the probabilities of `LABELS` in its answer.

    In the command `{bin}` stands for the programs of its environment and `{folder}` for an empty folder.
    """

    name: str
    setup: str
    command: Sequence[str]
    request: Callable[[User], Request]
    read: Callable[[Any], list[float]]
    environment: Path
    variables: Mapping[str, str] = field(default_factory=dict)


def as_body(path: str, user: User) -> Request:
    """The picture as it is, the nickname in the address."""
    address = f"{path}?nickname={quote(user.nickname)}"
    return Request(address, {"Content-Type": "application/octet-stream"}, user.avatar)


def as_json(path: str, user: User) -> Request:
    """Both as JSON, the picture in base64."""
    content = {"avatar": b64encode(user.avatar).decode(), "nickname": user.nickname}
    return Request(path, {"Content-Type": "application/json"}, json.dumps(content).encode())


def as_protocol(path: str, user: User) -> Request:
    """Both as the Open Inference Protocol's JSON, the picture in base64."""
    avatar = {"name": AVATAR, "parameters": {"content_type": "base64"}, "data": [b64encode(user.avatar).decode()]}
    nickname = {"name": NICKNAME, "parameters": {"content_type": "str"}, "data": [user.nickname]}
    content = {"inputs": [{"shape": [1, 1], "datatype": "BYTES", **tensor} for tensor in (avatar, nickname)]}
    return Request(path, {"Content-Type": "application/json"}, json.dumps(content).encode())


def by_label(answer: Any) -> list[float]:
    """Of an answer like `{"male": 0.2, "female": 0.8}`."""
    return [answer[label] for label in LABELS]


def of_tensor(answer: Any) -> list[float]:
    """Of an answer of the Open Inference Protocol with one tensor."""
    data: list[float] = answer["outputs"][0]["data"]
    return data


def peers(model: str, ports: Ports) -> list[Peer]:
    """Triton and all who serve the same as its ensemble with `model`, on three free ports."""
    return [
        Peer(
            TRITON,
            f"this repository: {WORKERS} instances of each model; Open Inference Protocol, binary",
            ["{bin}/python", "-m", "server.launch.launcher", "--model-repository=model_repository", *_triton(ports)],
            lambda user: triton_request(f"gender_{model}", user),
            of_tensor,
            Path(sys.prefix),
        ),
        Peer(
            FASTAPI,
            f"uvicorn, {WORKERS} workers; the picture is the body",
            ["{bin}/uvicorn", f"{APPS}.fastapi_app:app", *_uvicorn(ports)],
            lambda user: as_body("/predict", user),
            by_label,
            ENVIRONMENTS / "fastapi",
        ),
        Peer(
            "LitServe",
            f"{WORKERS} workers, {WORKERS} API servers, fast queue; JSON",
            ["{bin}/python", "-m", f"{APPS}.litserve_app", str(ports[0])],
            lambda user: as_json("/predict", user),
            by_label,
            ENVIRONMENTS / "litserve",
        ),
        Peer(
            "BentoML",
            f"{WORKERS} workers; JSON",
            ["{bin}/bentoml", "serve", f"{APPS}.bentoml_app:Gender", "--host=127.0.0.1", f"--port={ports[0]}"],
            lambda user: as_json("/predict", user),
            by_label,
            ENVIRONMENTS / "bentoml",
        ),
        Peer(
            "MLServer",
            f"{WORKERS} parallel workers; Open Inference Protocol, JSON",
            ["{bin}/mlserver", "start", "{folder}"],
            lambda user: as_protocol("/v2/models/gender/infer", user),
            of_tensor,
            ENVIRONMENTS / "mlserver",
            _mlserver(ports),
        ),
        Peer(
            "Ray Serve",
            f"{WORKERS} replicas; the picture is the body",
            ["{bin}/python", "-m", f"{APPS}.ray_app", str(ports[0])],
            lambda user: as_body("/", user),
            by_label,
            ENVIRONMENTS / "ray",
        ),
    ]


def _triton(ports: Ports) -> list[str]:
    return [f"--{service}-port={port}" for service, port in zip(("http", "grpc", "metrics"), ports, strict=True)]


def _uvicorn(ports: Ports) -> list[str]:
    return ["--host=127.0.0.1", f"--port={ports[0]}", f"--workers={WORKERS}", "--no-access-log", "--log-level=warning"]


def _mlserver(ports: Ports) -> Mapping[str, str]:
    at = dict(zip(("HTTP_PORT", "GRPC_PORT", "METRICS_PORT"), ports, strict=True))
    settings = {"HOST": "127.0.0.1", "PARALLEL_WORKERS": WORKERS, "DEBUG": "false"}
    model = {"MODEL_NAME": "gender", "MODEL_IMPLEMENTATION": f"{APPS}.mlserver_app.Gender"}
    return {f"MLSERVER_{name}": str(value) for name, value in {**at, **settings, **model}.items()}
