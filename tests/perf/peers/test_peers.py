"""Triton and a real FastAPI by the same load, and how the others are asked."""

import json
from base64 import b64decode
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import psutil
import pytest

from perf.load.baselines import newest
from perf.load.workload import User, users
from perf.peers import compare, serving
from perf.peers.apps.predictor import Predictor
from perf.peers.catalogue import (
    ENVIRONMENTS,
    FASTAPI,
    TRITON,
    as_body,
    as_json,
    as_protocol,
    by_label,
    of_tensor,
    peers,
)
from perf.peers.compare import markdown, summarize
from perf.peers.serving import PeerError, running
from server.launch.process import free_ports
from tests.support.tritonserver import ROOT

USER = User(b"\xff\xd8picture", "小美 & co")
MODEL = newest(ROOT / "model_repository", "mobilenet")


def test_each_request_carries_the_user() -> None:
    body = as_body("/predict", USER)
    assert body.body == USER.avatar
    assert parse_qs(urlsplit(body.path).query) == {"nickname": [USER.nickname]}
    content = json.loads(as_json("/predict", USER).body)
    assert (b64decode(content["avatar"]), content["nickname"]) == (USER.avatar, USER.nickname)
    avatar, nickname = json.loads(as_protocol("/infer", USER).body)["inputs"]
    assert (avatar["name"], b64decode(avatar["data"][0])) == ("AVATAR", USER.avatar)
    assert (nickname["name"], nickname["data"]) == ("NICKNAME", [USER.nickname])


def test_answers_are_read_in_the_order_of_the_labels() -> None:
    assert by_label({"female": 0.75, "male": 0.25}) == [0.25, 0.75]
    assert of_tensor({"outputs": [{"name": "PROBABILITIES", "data": [0.25, 0.75]}]}) == [0.25, 0.75]


def test_every_peer_has_its_own_environment_and_pins() -> None:
    others = [peer for peer in peers("mobilenet", (1, 2, 3)) if peer.name != TRITON]
    pins = {file.stem for file in (ROOT / "requirements" / "peers").glob("*.txt")}
    assert {peer.environment for peer in others} == {ENVIRONMENTS / name for name in pins}


def test_triton_beside_fastapi(tmp_path: Path) -> None:
    rows = compare.compare((TRITON, FASTAPI), ["mobilenet"], users(16, seed=1), clients=[1, 4], rounds=1, seconds=0.6)
    assert list(zip(rows["peer"], rows["clients"], strict=True)) == [
        (TRITON, 1),
        (TRITON, 4),
        (FASTAPI, 1),
        (FASTAPI, 4),
    ]
    assert (rows[compare.FIGURES] > 0).all(axis=None)
    assert (rows["p50_ms"] <= rows["p99_ms"]).all()
    compare.report(rows, {"seed": 1}, tmp_path)
    written = json.loads((tmp_path / "peers.json").read_text())
    assert {"date", "machine", "seed"} <= written.keys()
    assert len(written["arms"]) == 4
    assert (tmp_path / "peers.png").read_bytes().startswith(b"\x89PNG")


def test_who_answers_otherwise_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Predictor, "predict", lambda *_: {"male": 0.5, "female": 0.5})
    with pytest.raises(PeerError, match=r"FastAPI answers \[.*\] for user 0, the network itself \[0.5, 0.5\]"):
        compare.compare((FASTAPI,), ["mobilenet"], users(4, seed=1), clients=[1], rounds=1, seconds=0.2)


def test_who_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("perf.peers.catalogue.ENVIRONMENTS", tmp_path)
    (peer,) = [peer for peer in peers("mobilenet", (1, 2, 3)) if peer.name == FASTAPI]
    with (
        pytest.raises(PeerError, match=r"FastAPI is not installed in .*fastapi; install it with: make peers"),
        running(peer, 1, MODEL, USER),
    ):
        pass


def test_who_does_not_come_up_shows_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "READY_S", 5.0)  # uvicorn starts its workers again and again
    ports = free_ports(3)
    (peer,) = [peer for peer in peers("mobilenet", ports) if peer.name == FASTAPI]
    with (
        pytest.raises(PeerError, match=r"(?s)FastAPI .*no-such\.onnx"),
        running(peer, ports[0], tmp_path / "no-such.onnx", USER),
    ):
        pass


def test_nothing_is_left_of_a_peer() -> None:
    ports = free_ports(3)
    (peer,) = [peer for peer in peers("mobilenet", ports) if peer.name == FASTAPI]
    with running(peer, ports[0], MODEL, users(1, seed=1)[0]) as server:
        family = psutil.Process(server.pid).children(recursive=True)
        assert family
    assert not any(process.is_running() for process in family)


def test_each_round_is_compared_with_fastapi() -> None:
    def row(number: int, peer: str, clients: int, per_s: float) -> dict[str, object]:
        figures = dict.fromkeys(compare.FIGURES, 2.0)
        return {"round": number, "model": "mobilenet", "peer": peer, "clients": clients, **figures, "per_s": per_s}

    rounds = [(100.0, 80.0), (50.0, 60.0), (100.0, 90.0)]
    rows = [
        row(n, peer, 8, rate)
        for n, pair in enumerate(rounds)
        for peer, rate in zip((FASTAPI, TRITON), pair, strict=True)
    ]
    text = markdown(summarize(pd.DataFrame(rows)))
    assert "| mobilenet | 8 | Triton | 2.0 (2.0 to 2.0) | 2.0 | 80 | 0.90 (0.80 to 1.20) | 2.0 | 2 | 2.0 |" in text
    assert "- LitServe: 2 workers" in text
