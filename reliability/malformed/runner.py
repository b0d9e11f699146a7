"""All hostile input on every route: the preprocessing alone, a live server over gRPC and HTTP, and what ends Triton."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Final

import pandas as pd

from genderprep.limits import MAX_AVATAR_BYTES
from server.edge.reverse_proxy import find_nginx, running_front
from server.launch.process import ROOT, Server, free_ports, running_triton

from .cases import Case, avatars, nicknames
from .cases.sample_per_kind import valid
from .isolated_worker import Outcome, worker
from .live_target import Wire, half_open, watching, wire_to
from .requests import grpc_cases, http_cases

Row = dict[str, Any]
DIRECT: Final = "preprocessing"
# Every one of them stays open while the good user is asked.
HALF_OPEN: Final = 2000
HALF_OPEN_S: Final = 3.0


def prepare_all(choose: Callable[[Iterable[Case]], Iterable[Case]], seed: int) -> Iterator[Row]:
    """Every avatar and nickname that is chosen, through `genderprep` in a process of its own."""
    with worker() as running:
        for modality, cases in (("avatar", avatars(seed)), ("nickname", nicknames(seed))):
            for case in choose(cases):
                yield _row(DIRECT, modality, case, running.prepare(modality, case.make()))


def send_all(
    server: Server, choose: Callable[[Iterable[Case]], Iterable[Case]], seed: int, seen: list[Row]
) -> Iterator[Row]:
    """Every input that is chosen, to a live server on every route; `seen` gets what a good user saw meanwhile."""
    with wire_to(server) as wire:
        routes = (
            ("gRPC", "avatar", avatars, wire.avatar_by_grpc),
            ("HTTP", "avatar", avatars, wire.avatar_by_http),
            ("gRPC", "nickname", nicknames, wire.nickname_by_grpc),
            ("HTTP", "nickname", nicknames, wire.nickname_by_http),
            ("gRPC", "request", grpc_cases, wire.grpc),
            ("HTTP", "request", http_cases, wire.http),
        )
        _serve_largest(wire)
        for route, what, cases, send in routes:
            with watching(server) as watched:
                for case in choose(cases(seed)):
                    yield _row(route, what, case, send(case.make()))
            seen.append({"route": route, "what": what, **watched.summary()})


def _serve_largest(wire: Wire) -> None:
    """Avatars as long as is allowed: buffers of that size are no fault of those who come after."""
    avatar = valid()["JPEG"]
    avatar += bytes(MAX_AVATAR_BYTES - len(avatar))
    # At once, for every thread of the server has its own buffers.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda send: send(avatar), [wire.avatar_by_grpc, wire.avatar_by_http] * 16))


def hold_open(server: Server, count: int = HALF_OPEN, seconds: float = HALF_OPEN_S) -> Row:
    """Connections that begin a request and say no more, and what a good user sees meanwhile."""
    with watching(server) as watched:
        connections = half_open(server, count)
        time.sleep(seconds)
        for connection in connections:
            connection.close()
    return {"route": "both", "what": f"{count:,} half-open connections", **watched.summary()}


def send_killers(cases: Iterable[Case], *flags: str) -> Iterator[Row]:
    """What Triton does not bear, each to a new server: asked directly, and behind nginx where there is one."""
    for case in cases:
        content = case.make()
        for behind in (False, True) if find_nginx() else (False,):
            with running_triton(ROOT / "model_repository", *flags) as server:
                yield {"kind": case.kind, "name": case.name, "front": behind, **_bear(server, content, behind)}


def _bear(server: Server, content: bytes, behind: bool) -> Row:
    with watching(server, asking=False) as watched:
        if behind:
            http, grpc = (f"127.0.0.1:{port}" for port in free_ports(2))
            with running_front(server.http_url, server.grpc_url, http, grpc) as front, wire_to(front) as wire:
                outcome = wire.http(content, whole=True)
        else:
            with wire_to(server) as wire:
                outcome = wire.http(content, whole=True)
        # It is gone a moment after it hung up.
        time.sleep(0.5)
        died = server.process.poll() is not None
    return {**asdict(outcome), "memory_mb": watched.memory_mb, "died": died}


def _row(route: str, what: str, case: Case, outcome: Outcome) -> Row:
    named = {"route": route, "what": what, "kind": case.kind, "name": case.name, "expected": str(case.expected)}
    return {**named, **asdict(outcome)}


def unexpected(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose result is none that is right for them."""
    crashed = ~rows["result"].isin(["answered", "refused", "another error", "hung up"])
    # Only a whole request can be wrong in a way that HTTP or gRPC have another word for.
    crashed |= rows["what"].ne("request") & ~rows["result"].isin(["answered", "refused"])
    strict = rows["expected"].isin(["answered", "refused"])
    return rows[crashed | (strict & rows["result"].ne(rows["expected"]))]
