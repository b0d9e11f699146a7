"""No output contains an avatar or a nickname: planted markers are sent by every path and searched in every output.

Triton runs with `--log-verbose=1` and tracing. SECURITY.md lists the two things that it writes: the request ids of
callers, and the inputs at trace level TENSORS. The latter prove that this test would find a marker.
"""

import asyncio
import base64
import csv
import json
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tritonclient.grpc import service_pb2 as pb
from typer.testing import CliRunner

from genderclient import (
    AsyncClient,
    BytesTensor,
    Client,
    ConnectionOptions,
    GenderClientError,
    InferenceRequest,
    Tls,
)
from genderclient import User as Asked
from genderclient._cli.app import app
from genderprep.tensors import AVATAR, NICKNAME, PROBABILITIES
from perf.load.http_client_load import HttpLoadError, Request, post_json, triton_request
from perf.load.workload import SyntheticUser
from server.edge.reverse_proxy import ReverseProxy, find_nginx, running_reverse_proxy
from tests.support.markers import NAME, PICTURE, found, planted_png
from tests.support.server.edge import SHOP, EdgeFiles, grpc_status, write_edge_files
from tests.support.tritonserver import ADMIN_HEADERS, ROOT, Server, running_triton

pytestmark = pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine")

MODEL = "gender_mobilenet"
NICKNAMES = (f"小{NAME}美", NAME * 500, f"{NAME}\0")
AVATARS = (planted_png(), planted_png()[:60] + PICTURE.encode(), PICTURE.encode(), PICTURE.encode() * 2**16)


@dataclass
class Errors:
    """Everything that a caller sees of failures."""

    seen: list[str] = field(default_factory=list)

    def add(self, error: BaseException) -> None:
        self.seen += [str(error), repr(error), *traceback.format_exception(error)]


@dataclass(frozen=True)
class Stack:
    """Everything between a caller and the models, and the folder for output."""

    server: Server
    proxy: ReverseProxy
    files: EdgeFiles
    folder: Path

    @property
    def urls(self) -> list[str]:
        """Triton's own, and the reverse proxy's."""
        alone = [f"grpc://{self.server.grpc_url}", f"http://{self.server.http_url}"]
        return [*alone, f"grpcs://{self.proxy.grpc_url}", f"https://{self.proxy.http_url}"]

    def access(self, url: str) -> dict[str, Any]:
        return {"tls": Tls(ca_file=self.files.authority), "token": SHOP} if "s://" in url else {}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("written")
    files = write_edge_files(tmp_path_factory.mktemp("edge"))
    trace = f"triton,file={folder / 'trace'}"
    tracing = (trace, "triton,log-frequency=1", "rate=1", "level=TIMESTAMPS")
    flags = ("--log-verbose=1", *(f"--trace-config={setting}" for setting in tracing))
    with (
        running_triton(ROOT / "model_repository", *flags) as server,
        running_reverse_proxy(server.http_url, server.grpc_url, files.policy()) as proxy,
    ):
        yield Stack(server, proxy, files, folder)


@pytest.fixture(scope="module")
def written(stack: Stack) -> dict[str, bytes]:
    """Everything that was written while markers passed through, by place."""
    errors = Errors()
    answers = [*by_sdk(stack, errors), *by_hand(stack)]
    asyncio.run(by_async_sdk(stack, errors))
    terminal = by_command(stack)
    return {
        "Triton's log": stack.server.log().encode(),
        "nginx' log": stack.proxy.log().encode(),
        "metrics": get(f"http://{stack.server.metrics_url}/metrics"),
        "statistics": get(f"http://{stack.server.http_url}/v2/models/stats"),
        "traces": b"".join(file.read_bytes() for file in stack.folder.glob("trace*")),
        "answers": "\n".join(answers).encode(),
        "errors": "\n".join(errors.seen).encode(),
        "the command's terminal": terminal.encode(),
        "the command's files": b"".join(file.read_bytes() for file in stack.folder.glob("scores*")),
    }


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        return bytes(response.read())


def by_sdk(stack: Stack, errors: Errors) -> Iterator[str]:
    for url in stack.urls:
        with Client(url, **stack.access(url)) as client:
            for avatar, nickname in ((AVATARS[0], NICKNAMES[0]), *((avatar, "") for avatar in AVATARS[1:])):
                for ask in (client.predict, client.rank):
                    try:
                        yield repr(ask(avatar=avatar, nickname=nickname))
                    except GenderClientError as error:
                        errors.add(error)
                try:
                    yield repr(client.embed(avatar, nickname))
                    yield repr(client.similar(avatar))
                except GenderClientError as error:
                    errors.add(error)
            with pytest.raises(GenderClientError) as refused:
                client.predict(nickname=NICKNAMES[1])
            errors.add(refused.value)
            yield from map(repr, client.predict_many([Asked(avatar=avatar, nickname=NAME) for avatar in AVATARS]))
            yield repr(client)
    tensors = tuple(BytesTensor(name, value) for name, value in ((AVATAR, AVATARS[0]), (NICKNAME, NAME.encode())))
    yield repr(InferenceRequest(model=MODEL, inputs=tensors, timeout_s=1))


async def by_async_sdk(stack: Stack, errors: Errors) -> None:
    for url in stack.urls:
        async with AsyncClient(url, **stack.access(url)) as client:
            with pytest.raises(GenderClientError) as refused:
                await client.predict(avatar=AVATARS[1], nickname=NICKNAMES[0])
            errors.add(refused.value)


def by_hand(stack: Stack) -> Iterator[str]:
    """Requests that our clients would not send."""
    for request in (*well_formed(), *malformed()):
        try:
            yield json.dumps(post_json(stack.server.http_url, request))
        except HttpLoadError as error:
            yield str(error)
    for content in (b"", NAME.encode() * 2, b"\xff" + NAME.encode()):
        message = pb.ModelInferRequest(model_name=MODEL, raw_input_contents=[content, AVATARS[2]])
        for name in (AVATAR, NICKNAME):
            message.inputs.add(name=name, datatype="BYTES", shape=[1, 1])
        yield grpc_status(stack.server.grpc_url, "ModelInfer", message, {}, None)
    # Over the limit of the reverse proxy, which logs this.
    url, options = stack.urls[2], ConnectionOptions(max_message_bytes=2**26)
    with pytest.raises(GenderClientError) as refused, Client(url, options=options, **stack.access(url)) as client:
        client.predict(nickname=NAME * 2**20)
    yield str(refused.value)


def well_formed() -> Iterator[Request]:
    yield from (triton_request(MODEL, SyntheticUser(avatar, NICKNAMES[2])) for avatar in AVATARS)
    yield triton_request(MODEL, SyntheticUser(b"", NICKNAMES[1]))


def malformed() -> Iterator[Request]:
    """JSON that does not fit the protocol, and truncated binary tensors."""
    for shape, data in (([1], [NAME]), ([1, 1], [NAME, NAME]), ([1, 1], NAME), ([1, 1], [{"x": NAME}])):
        inputs = [{"name": NICKNAME, "datatype": "BYTES", "shape": shape, "data": data}]
        content = json.dumps({"inputs": inputs}).encode()
        yield from (Request(f"/v2/models/{MODEL}/infer", {}, body) for body in (content, content[:-3]))
    yield Request(f"/v2/models/{MODEL}/infer", {}, NAME.encode())
    whole = triton_request(MODEL, SyntheticUser(AVATARS[2], NAME))
    yield whole._replace(body=whole.body[:-9])
    yield whole._replace(headers={})


def by_command(stack: Stack) -> str:
    """Run `genderclient predict` and `score`, also with bad input; return their terminal output."""
    for number, avatar in enumerate(AVATARS):
        (stack.folder / f"{number}.png").write_bytes(avatar)
    users = stack.folder / "users.csv"
    with users.open("w", encoding="utf-8", newline="") as lines:
        names = [f"{number}.png" for number in range(len(AVATARS))]
        csv.writer(lines).writerows([("avatar", "nickname"), *((name, NAME) for name in names), ("", NICKNAMES[1])])
    access = {"GENDERCLIENT_URL": stack.urls[2], "GENDERCLIENT_TOKEN": SHOP}
    authority = ("--ca-file", str(stack.files.authority))
    commands = (
        ("predict", "--avatar", str(stack.folder / "0.png"), "--nickname", NAME),
        ("predict", "--avatar", str(stack.folder / "2.png"), "--nickname", NAME),
        ("score", str(users), "--output", str(stack.folder / "scores.csv")),
    )
    results = [CliRunner().invoke(app, [*command, *authority], env=access) for command in commands]
    assert [result.exit_code for result in results] == [0, 1, 1]
    return "\n".join(result.output for result in results)


@pytest.mark.parametrize(
    "where",
    [
        "Triton's log",
        "nginx' log",
        "metrics",
        "statistics",
        "traces",
        "answers",
        "errors",
        "the command's terminal",
        "the command's files",
    ],
)
def test_output_contains_no_marker(written: dict[str, bytes], where: str) -> None:
    assert written[where], "expected output to search, got none"
    assert found(written[where]) == set()
    assert SHOP.encode() not in written[where]


def test_markers_reached_every_part(written: dict[str, bytes]) -> None:
    """The searched output is about the markers."""
    assert written["Triton's log"].count(b"Done for ModelInferHandler") > len(AVATARS)
    assert b"Infer failed" in written["Triton's log"]
    assert b"client intended to send too large" in written["nginx' log"]
    assert b'"timestamps"' in written["traces"]
    assert written["errors"].count(b"AVATAR: not an image") >= 4
    assert PROBABILITIES.encode() in written["answers"]
    assert b"InvalidNickname" in written["the command's files"]


def test_marker_is_found_in_tensor_traces(written: dict[str, bytes], stack: Stack) -> None:
    """The trace level TENSORS writes inputs; production must not use it."""
    url = f"http://{stack.server.http_url}/v2/trace/setting"
    setting = urllib.request.Request(
        url, json.dumps({"trace_level": ["TIMESTAMPS", "TENSORS"]}).encode(), ADMIN_HEADERS
    )
    urllib.request.urlopen(setting, timeout=10).close()
    before = set(stack.folder.glob("trace*"))
    with Client(stack.urls[0]) as client:
        client.predict(avatar=AVATARS[0], nickname=NAME)
    deadline = time.monotonic() + 10
    while NAME.encode() not in found(traces_but(stack.folder, before)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def traces_but(folder: Path, before: set[Path]) -> bytes:
    with suppress(FileNotFoundError):
        return b"".join(file.read_bytes() for file in set(folder.glob("trace*")) - before)
    return b""


@pytest.mark.parametrize("wrap", [bytes.hex, lambda plain: base64.b64encode(plain).decode(), bytes.decode])
@pytest.mark.parametrize("start", range(3))
def test_marker_is_found_in_every_encoding(wrap: Callable[[bytes], str], start: int) -> None:
    assert found(wrap(b"x" * start + NAME.encode() + b"y").encode())
    assert not found(wrap(b"x" * start + b"planted" + b"y").encode())
