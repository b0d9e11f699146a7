"""Send every malformed input on every route: to the preprocessing alone, and to a live server over gRPC and HTTP."""

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict
from typing import Any, Final

import pandas as pd

from genderprep.limits import MAX_AVATAR_BYTES
from perf.load.served import running_gender_models
from server.edge.reverse_proxy import ReverseProxy, find_nginx, running_reverse_proxy
from server.launch.process import Server

from .cases.case import Case, sample_per_kind
from .cases.valid_files import valid_files
from .corpus import avatars, nicknames
from .isolated_worker import CaseResult, Worker
from .live_target import LiveTarget, half_open_connections
from .requests import grpc_requests, http_requests
from .requests.grpc_requests import grpc_request
from .requests.http_requests import http_request
from .side_effects import side_effects

Row = dict[str, Any]
Cases = Callable[[int], Iterator[Case]]
DIRECT: Final = "preprocessing"
# Results of an avatar or nickname; a whole request may also be another error, or no HTTP at all.
INPUT_RESULTS: Final = ("answered", "refused")
REQUEST_RESULTS: Final = (*INPUT_RESULTS, "another error", "hung up")
HALF_OPEN: Final = 2000
HALF_OPEN_S: Final = 3.0
# A crash may write a core dump before the process ends.
DEATH_S: Final = 5.0


def prepare_all(per_kind: int, seed: int) -> Iterator[Row]:
    """Prepare at most `per_kind` inputs of each kind in a process of its own, and yield one row per input."""
    with closing(Worker()) as worker:
        for modality, cases in (("avatar", avatars(seed)), ("nickname", nicknames(seed))):
            for case in sample_per_kind(cases, per_kind):
                yield _row(DIRECT, modality, case, worker.prepare(modality, case.make()))


def send_all(server: Server, per_kind: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Send at most `per_kind` inputs of each kind to a live server; return a row per input and one per route.

    The rows of routes hold `SideEffects`.
    """
    rows, effects = list[Row](), list[Row]()
    with closing(LiveTarget(server.http_url, server.grpc_url)) as target:
        _send_largest(target)
        for route, what, cases, send in _routes(target):
            with side_effects(server) as observed:
                for case in sample_per_kind(cases(seed), per_kind):
                    rows.append(_row(route, what, case, send(case.make())))
            effects.append({"route": route, "what": what, **asdict(observed)})
    return rows, effects


def _routes(target: LiveTarget) -> Iterator[tuple[str, str, Cases, Callable[[bytes], CaseResult]]]:
    yield "gRPC", "avatar", avatars, lambda avatar: target.grpc(grpc_request(avatar, b"a"))
    yield "HTTP", "avatar", avatars, lambda avatar: target.http(http_request(avatar, b"a"))
    yield "gRPC", "nickname", nicknames, lambda nickname: target.grpc(grpc_request(b"", nickname))
    yield "HTTP", "nickname", nicknames, lambda nickname: target.http(http_request(b"", nickname))
    yield "gRPC", "request", grpc_requests.cases, target.grpc
    yield "HTTP", "request", http_requests.cases, target.http


def _send_largest(target: LiveTarget) -> None:
    """Send avatars of the largest size, so that the buffers they need are not attributed to malformed input."""
    avatar = valid_files()["JPEG"]
    avatar += bytes(MAX_AVATAR_BYTES - len(avatar))
    # Concurrently, since every thread of the server has its own buffers.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(target.grpc, [grpc_request(avatar, b"a")] * 16))
        list(pool.map(target.http, [http_request(avatar, b"a")] * 16))


def hold_open(server: Server, count: int = HALF_OPEN, seconds: float = HALF_OPEN_S) -> Row:
    """Hold connections with unfinished requests open, and return the side effects."""
    with side_effects(server) as effects:
        connections = half_open_connections(server, count)
        time.sleep(seconds)
        for connection in connections:
            connection.close()
    return {"route": "both", "what": f"{count:,} half-open connections", **asdict(effects)}


def send_crashing(cases: Iterable[Case]) -> Iterator[Row]:
    """Send each request to a new server, directly and (if nginx is installed) through the reverse proxy."""
    for case in cases:
        content = case.make()
        for proxied in (False, True) if find_nginx() else (False,):
            with running_gender_models() as server:
                yield {"kind": case.kind, "name": case.name, "front": proxied, **_survival(server, content, proxied)}


def _survival(server: Server, content: bytes, proxied: bool) -> Row:
    with side_effects(server, send=False) as effects, ExitStack() as stack:
        endpoint: Server | ReverseProxy = server
        if proxied:
            endpoint = stack.enter_context(running_reverse_proxy(server.http_url, server.grpc_url))
        target = stack.enter_context(closing(LiveTarget(endpoint.http_url, endpoint.grpc_url)))
        result = target.http(content, half_close=False)
        died = dies(server) if result.result == "hung up" else server.process.poll() is not None
    return {**asdict(result), "memory_mb": effects.memory_mb, "died": died}


def dies(server: Server) -> bool:
    """Return whether a server ends that has closed a connection; a crashing one closes its connections first."""
    with suppress(subprocess.TimeoutExpired):
        server.process.wait(DEATH_S)
    return server.process.poll() is not None


def _row(route: str, what: str, case: Case, result: CaseResult) -> Row:
    labels = {"route": route, "what": what, "kind": case.kind, "name": case.name, "expected": str(case.expected)}
    return {**labels, **asdict(result)}


def unexpected(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose result is not correct for their input."""
    is_request = rows["what"].eq("request")
    allowed = rows["result"].isin(INPUT_RESULTS) | (is_request & rows["result"].isin(REQUEST_RESULTS))
    strict = rows["expected"].isin(INPUT_RESULTS)
    return rows[~allowed | (strict & rows["result"].ne(rows["expected"]))]
