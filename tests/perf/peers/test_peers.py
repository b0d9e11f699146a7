"""Triton and a real FastAPI under the same load, and the requests to the other peers."""

import json
import sys
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import psutil
import pytest

from perf.load.predictor import Predictor
from perf.load.workload import SyntheticUser, synthetic_users
from perf.peers import compare, serving
from perf.peers.catalogue import (
    ENVIRONMENTS,
    FASTAPI,
    PEERS,
    TRITON,
    body_request,
    by_label,
    json_request,
    of_tensor,
    protocol_request,
)
from perf.peers.compare import Peers, check_answers
from perf.peers.serving import PeerError, running
from perf.report.experiment import Measurement
from server.catalog import Catalog
from server.launch.process import free_ports
from tests.support.markdown import cells
from tests.support.perf.arguments import short
from tests.support.tritonserver import ROOT, Server

USER = SyntheticUser(b"\xff\xd8picture", "小美 & co")
MODEL = Catalog(ROOT / "model_repository").served_onnx("mobilenet")
FASTAPI_PEER = next(peer for peer in PEERS if peer.name == FASTAPI)
FIGURES = ["p50_ms", "p99_ms", "per_s", "cpu_ms", "memory_mb", "ready_s"]


def test_every_request_format_carries_avatar_and_nickname() -> None:
    body = body_request("/predict", "mobilenet", USER)
    assert body.body == USER.avatar
    assert parse_qs(urlsplit(body.path).query) == {"nickname": [USER.nickname]}
    content = json.loads(json_request("mobilenet", USER).body)
    assert (b64decode(content["avatar"]), content["nickname"]) == (USER.avatar, USER.nickname)
    avatar, nickname = json.loads(protocol_request("mobilenet", USER).body)["inputs"]
    assert (avatar["name"], b64decode(avatar["data"][0])) == ("AVATAR", USER.avatar)
    assert (nickname["name"], nickname["data"]) == ("NICKNAME", [USER.nickname])


def test_probabilities_have_the_order_of_the_labels() -> None:
    assert by_label({"female": 0.75, "male": 0.25}) == [0.25, 0.75]
    assert of_tensor({"outputs": [{"name": "PROBABILITIES", "data": [0.25, 0.75]}]}) == [0.25, 0.75]


def test_every_peer_has_its_own_environment_and_pins() -> None:
    pins = {file.stem for file in (ROOT / "requirements" / "peers").glob("*.txt")}
    environments = {peer.environment for peer in PEERS if peer.name != TRITON}
    assert environments == {ENVIRONMENTS / name for name in pins}


def test_triton_and_fastapi_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "PEERS", [peer for peer in PEERS if peer.name in (TRITON, FASTAPI)])
    monkeypatch.setattr(Catalog, "backbones", lambda _: ["mobilenet"])
    rows = Peers().measure(short(clients=[1, 4])).rows
    arms = [("mobilenet", peer) for peer in (TRITON, FASTAPI)]
    assert list(zip(rows["model"], rows["peer"], strict=True)) == [arm for arm in arms for _ in range(2)]
    assert (rows[FIGURES] > 0).all(axis=None)
    assert (rows["p50_ms"] <= rows["p99_ms"]).all()


def test_peer_with_different_answers_is_an_error(triton: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = next(peer for peer in PEERS if peer.name == TRITON)
    check_answers(peer, "mobilenet", triton.http_url, MODEL, synthetic_users(4, seed=1))
    monkeypatch.setattr(Predictor, "predict", lambda *_: {"male": 1.0, "female": 0.0})
    with pytest.raises(PeerError, match=r"Triton, user 0: expected the network's answer \[1.0, 0.0\], got \["):
        check_answers(peer, "mobilenet", triton.http_url, MODEL, synthetic_users(4, seed=1))


def test_missing_peer_error_says_how_to_install_it(tmp_path: Path) -> None:
    peer = replace(FASTAPI_PEER, environment=tmp_path / "fastapi")
    with (
        pytest.raises(PeerError, match=r"FastAPI is not installed in .*fastapi; install it with: make peers"),
        running(peer, (1, 2, 3), "mobilenet", MODEL, USER),
    ):
        pass


@pytest.mark.parametrize(
    ("end", "message"), [("exit 3", "exited with 3"), ("exec sleep 60", "does not answer after 1 s")]
)
def test_error_of_a_peer_that_does_not_start_has_its_log(
    end: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "READY_S", 1.0)
    peer = replace(FASTAPI_PEER, environment=Path(sys.prefix), command=["sh", "-c", f"echo no model; {end}"])
    with (
        pytest.raises(PeerError, match=rf"(?s)FastAPI {message}: .*no model"),
        running(peer, free_ports(3), "mobilenet", MODEL, USER),
    ):
        pass


def test_stopped_peer_leaves_no_process() -> None:
    with running(FASTAPI_PEER, free_ports(3), "mobilenet", MODEL, synthetic_users(1, seed=1)[0]) as server:
        family = psutil.Process(server.pid).children(recursive=True)
        assert family
    assert not any(process.is_running() for process in family)


@pytest.mark.parametrize(("rate", "cpu_ms", "met"), [(111.0, 1.9, True), (109.0, 1.9, False), (111.0, 2.1, False)])
def test_goal_is_more_than_fastapis_throughput_for_its_cpu(rate: float, cpu_ms: float, met: bool) -> None:
    figures = {"round": 0, "model": "mobilenet", "clients": 8, **dict.fromkeys(FIGURES, 2.0)}
    rows = [{**figures, "peer": FASTAPI, "per_s": 100.0}, {**figures, "peer": TRITON, "per_s": rate, "cpu_ms": cpu_ms}]
    (goal,) = Peers().goals(Measurement(pd.DataFrame(rows), {}))
    assert goal.met == met


@pytest.mark.parametrize(("later_ms", "met"), [((0.2, 0.5, 1.9), True), ((0.2, 0.7, 0.8), False)])
def test_goal_for_one_client_is_judged_by_the_median_round(later_ms: tuple[float, ...], met: bool) -> None:
    figures = {"model": "mobilenet", "clients": 1, **dict.fromkeys(FIGURES, 2.0)}
    rows = [
        {**figures, "round": number, "peer": peer, "p50_ms": p50_ms}
        for number, later in enumerate(later_ms)
        for peer, p50_ms in ((FASTAPI, 2.0), (TRITON, 2.0 + later))
    ]
    (goal,) = Peers().goals(Measurement(pd.DataFrame(rows), {}))
    assert (goal.met, goal.text) == (met, "mobilenet, one client: p50 within 0.6 ms of FastAPI")


def test_table_compares_with_fastapi_in_the_same_round() -> None:
    rows = pd.DataFrame(
        {"round": number, "model": "mobilenet", "peer": peer, "clients": 8, **dict.fromkeys(FIGURES, 2.0)}
        | {"per_s": rate}
        for number, pair in enumerate([(100.0, 80.0), (50.0, 60.0), (100.0, 90.0)])
        for peer, rate in zip((FASTAPI, TRITON), pair, strict=True)
    )
    (_, _, triton) = cells(Peers().table(Measurement(rows, {})))
    expected = ["mobilenet", "8", "Triton", "2.0 (2.0 to 2.0)", "2.0", "80", "0.90 (0.80 to 1.20)", "2.0", "2", "2.0"]
    assert triton == expected
