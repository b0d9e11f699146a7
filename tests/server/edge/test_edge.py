"""The front as a public edge: who is let in, to what, how much of it, and how long it waits for the slow."""

import gzip
import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from genderclient import Client, GenderClientError, InvalidAvatar, Tls
from genderprep.tensors import AVATAR, NICKNAME
from perf.load.http_client_load import triton_request
from perf.load.workload import User
from server.edge.access_policy import Rules
from server.edge.reverse_proxy import TEMPLATE, Front, find_nginx, running_front
from server.errors import LaunchError
from server.launch.process import free_ports
from tests.support.server.guarded import JOB, SHOP, Files, bearer, grpc_status, write_files
from tests.support.tritonserver import ROOT, Server

pytestmark = pytest.mark.skipif(find_nginx() is None, reason="there is no nginx on this machine")

MODEL = "gender_mobilenet"
READY = f"/v2/models/{MODEL}/ready"
STRANGER = "0" * 64
INFER = triton_request(MODEL, User(b"", "小美"))
# More than any picture may have; the front's limit is 12 MiB.
TOO_LARGE = 13 * 2**20
SLOW_S = 5.0
HALF_OPEN = 300


@dataclass(frozen=True)
class Answer:
    status: int
    text: str


@dataclass(frozen=True)
class Edge:
    """A running front, and how to reach it."""

    front: Front
    files: Files

    def http(
        self, method: str, path: str, headers: dict[str, str], body: bytes | Iterable[bytes] | None = None
    ) -> Answer:
        context = ssl.create_default_context(cafile=self.files.authority)
        with closing(http.client.HTTPSConnection(self.front.http_url, timeout=20, context=context)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(errors="replace"))

    def grpc(self, method: str, request: object, token: str) -> str:
        return grpc_status(self.front.grpc_url, method, request, bearer(token) if token else {}, self.files.authority)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return write_files(tmp_path_factory.mktemp("edge"))


@pytest.fixture(scope="module")
def edge(triton: Server, files: Files) -> Iterator[Edge]:
    http_url, grpc_url = (f"127.0.0.1:{port}" for port in free_ports(2))
    with running_front(triton.http_url, triton.grpc_url, http_url, grpc_url, files.rules()) as front:
        yield Edge(front, files)


@pytest.fixture(params=["grpcs", "https"])
def url(request: pytest.FixtureRequest, edge: Edge) -> str:
    return f"{request.param}://{edge.front.grpc_url if request.param == 'grpcs' else edge.front.http_url}"


def message(nickname: bytes = b"") -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name=MODEL)
    for name, value in ((AVATAR, b""), (NICKNAME, nickname)):
        request.inputs.add(name=name, datatype="BYTES", shape=[1, 1])
        request.raw_input_contents.append(len(value).to_bytes(4, "little") + value)
    return request


def test_who_has_a_token_is_answered(url: str, edge: Edge) -> None:
    with Client(url, tls=Tls(ca_file=edge.files.authority), token=SHOP) as client:
        assert client.predict(nickname="小美").gender == "female"
        with pytest.raises(InvalidAvatar, match="not an image"):
            client.predict(avatar=b"not an image")


@pytest.mark.parametrize("token", [None, STRANGER, SHOP[:-1], SHOP + "0"])
def test_who_has_none_is_told_so(url: str, edge: Edge, token: str | None) -> None:
    refused = pytest.raises(GenderClientError, match="unauthenticated: no known token; send the header")
    with Client(url, tls=Tls(ca_file=edge.files.authority), token=token) as client, refused as caught:
        client.predict(nickname="小美")
    assert not token or token not in str(caught.value)


def test_each_protocol_has_its_own_word_for_it(edge: Edge) -> None:
    answer = edge.http(*post(), INFER.body)
    assert (answer.status, json.loads(answer.text)["error"][:16]) == (401, "unauthenticated:")
    assert edge.http("GET", READY, {"authorization": SHOP}).status == 401
    assert edge.http("GET", READY, {"authorization": f"Basic {SHOP}"}).status == 401
    assert edge.grpc("ModelInfer", message(), STRANGER).startswith("UNAUTHENTICATED: unauthenticated: ")
    assert edge.grpc("ModelMetadata", pb.ModelMetadataRequest(name=MODEL), "").startswith("UNAUTHENTICATED")


def post(**headers: str) -> tuple[str, str, dict[str, str]]:
    return "POST", INFER.path, INFER.headers | headers


def test_health_needs_no_token(edge: Edge) -> None:
    assert [edge.http("GET", f"/v2/health/{what}", {}).status for what in ("live", "ready")] == [200, 200]
    assert edge.grpc("ServerLive", pb.ServerLiveRequest(), "") == "OK"
    assert edge.grpc("ServerReady", pb.ServerReadyRequest(), "") == "OK"


def test_but_nobody_may_ask_for_it_without_end(edge: Edge) -> None:
    statuses = {edge.http("GET", "/v2/health/live", {}).status for _ in range(200)}
    assert statuses == {200, 429}


def test_what_a_client_needs_is_served(edge: Edge) -> None:
    assert edge.http("GET", READY, bearer(SHOP)).status == 200
    assert json.loads(edge.http("GET", f"/v2/models/{MODEL}/versions/2", bearer(SHOP)).text)["name"] == MODEL
    assert edge.grpc("ModelReady", pb.ModelReadyRequest(name=MODEL), SHOP) == "OK"
    assert edge.grpc("ModelMetadata", pb.ModelMetadataRequest(name=MODEL), SHOP) == "OK"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2",
        "/metrics",
        "/refused/503",
        "/v2/models/preprocess/infer",
        "/v2/models/densenet/versions/2/infer",
        f"/v2/models/{MODEL}/config",
        f"/v2/models/{MODEL}/stats",
        f"/v2/models/{MODEL}/generate",
        f"{INFER.path}/../../../repository/index",
        f"/v2/models/{MODEL}/..%2f..%2frepository%2findex",
        f"/v2//models/{MODEL}%2f..%2fpreprocess/infer",
    ],
)
def test_everything_else_is_not_there(edge: Edge, path: str) -> None:
    answer = edge.http("POST", path, bearer(SHOP), b"{}")
    assert (answer.status, json.loads(answer.text)["error"][:15]) == (404, "not served here")


def test_what_is_passed_on_is_what_was_matched(edge: Edge) -> None:
    winding = f"/v2/repository/index/../../models//{MODEL}/x/../infer?a=1"
    answer = edge.http("POST", winding, INFER.headers | bearer(SHOP), INFER.body)
    assert (answer.status, json.loads(answer.text)["model_name"]) == (200, MODEL)


def test_who_sends_too_much_is_refused(edge: Edge) -> None:
    answer = edge.http(*post(**bearer(SHOP)), bytes(TOO_LARGE))
    assert (answer.status, json.loads(answer.text)["error"][:9]) == (413, "too large")
    assert edge.grpc("ModelInfer", message(bytes(TOO_LARGE)), SHOP).startswith("RESOURCE_EXHAUSTED: too large")


def test_json_is_short(edge: Edge) -> None:
    """Triton dies of it nested 200,000 deep."""
    deep = b"[" * 200_000
    long: dict[str, str] = {"inference-header-content-length": "200000"}
    bodies: list[tuple[dict[str, str], bytes | Iterable[bytes]]] = [({}, deep), (long, deep), ({}, iter([deep]))]
    for headers, body in bodies:
        answer = edge.http("POST", INFER.path, bearer(SHOP) | headers, body)
        assert (answer.status, json.loads(answer.text)["error"][:6]) == (411, "length")
    # So much Triton refuses itself, and lives.
    assert edge.http("POST", INFER.path, bearer(SHOP), b"[" * 99_999).status == 500
    assert edge.http("POST", INFER.path, INFER.headers | bearer(SHOP), INFER.body).status == 200


def test_nothing_is_unpacked(edge: Edge) -> None:
    answer = edge.http(*post(**bearer(SHOP), **{"content-encoding": "gzip"}), gzip.compress(INFER.body))
    assert (answer.status, json.loads(answer.text)["error"][:10]) == (415, "compressed")
    credentials = grpc.ssl_channel_credentials(edge.files.authority.read_bytes())
    packing = grpc.secure_channel(edge.front.grpc_url, credentials, compression=grpc.Compression.Gzip)
    with packing as channel, pytest.raises(grpc.RpcError) as caught:
        GRPCInferenceServiceStub(channel).ModelInfer(message(), metadata=tuple(bearer(SHOP).items()))
    assert (caught.value.code().name, caught.value.details()[:10]) == ("UNIMPLEMENTED", "compressed")


def test_what_reaches_triton(files: Files) -> None:
    """No token, no chunks, however the client sent it; a listener in Triton's place takes it down."""
    listen, grpc_url = (f"127.0.0.1:{port}" for port in free_ports(2))
    with socket.create_server(("127.0.0.1", 0)) as triton:
        url = f"127.0.0.1:{triton.getsockname()[1]}"
        with running_front(url, url, listen, grpc_url, files.rules()) as front, ThreadPoolExecutor() as pool:
            received = pool.submit(take_down, triton)
            edge = Edge(front, files)
            context = ssl.create_default_context(cafile=edge.files.authority)
            with closing(http.client.HTTPSConnection(front.http_url, timeout=20, context=context)) as connection:
                headers = bearer(SHOP) | {"inference-header-content-length": "4"}
                connection.request("POST", INFER.path, iter([b"ab", b"cd"]), headers, encode_chunked=True)
                assert connection.getresponse().status == 204
            head, _, body = received.result().partition(b"\r\n\r\n")
    assert head.startswith(f"POST {INFER.path} HTTP/1.1\r\n".encode())
    assert b"\r\nContent-Length: 4" in head
    assert b"authorization" not in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert body == b"abcd"


def take_down(listener: socket.socket) -> bytes:
    """One request of four bytes; it is answered with nothing."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(20)
        received = b""
        while not received.endswith(b"\r\n\r\nabcd"):
            received += connection.recv(4096)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    return received


def test_more_than_a_client_may_is_refused_and_others_are_not(triton: Server, files: Files) -> None:
    http_url, grpc_url = (f"127.0.0.1:{port}" for port in free_ports(2))
    with running_front(triton.http_url, triton.grpc_url, http_url, grpc_url, files.rules(rate=1)) as front:
        edge = Edge(front, files)
        answers = [edge.http(*post(**bearer(SHOP)), INFER.body) for _ in range(8)]
        assert Counter(answer.status for answer in answers)[200] >= 2  # one, and a second's worth at once
        refusals = {json.loads(answer.text)["error"] for answer in answers if answer.status == 429}
        assert refusals == {"overloaded: more requests a second than this client may send; try again later"}
        calls = [edge.grpc("ModelInfer", message(), SHOP) for _ in range(4)]
        assert any(call.startswith("RESOURCE_EXHAUSTED: overloaded: more requests") for call in calls)
        assert edge.http(*post(**bearer(JOB)), INFER.body).status == 200


def test_bulk_leaves_room(triton: Server, files: Files) -> None:
    """A request whose body does not come holds its place; with two of bulk's two places held, others have theirs."""
    http_url, grpc_url = (f"127.0.0.1:{port}" for port in free_ports(2))
    with running_front(triton.http_url, triton.grpc_url, http_url, grpc_url, files.rules(in_flight=3, bulk=2)) as front:
        edge = Edge(front, files)
        with ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(closing(held(edge, JOB)))
            wait_until(lambda: edge.http(*post(**bearer(JOB)), INFER.body).status == 503)
            assert edge.http(*post(**bearer(SHOP)), INFER.body).status == 200
        wait_until(lambda: edge.http(*post(**bearer(JOB)), INFER.body).status == 200)


def held(edge: Edge, token: str) -> socket.socket:
    """A connection on which a request has begun, and does not go on."""
    host, port = edge.front.http_url.split(":")
    context = ssl.create_default_context(cafile=edge.files.authority)
    connection = context.wrap_socket(socket.create_connection((host, int(port)), 20), server_hostname=host)
    head = f"POST {INFER.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 99\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_who_is_slow_is_dropped_and_meanwhile_others_are_answered(edge: Edge) -> None:
    """No handshake, no end of the head, no body; and hundreds who say nothing at all."""
    host, port = edge.front.http_url.split(":")
    address = (host, int(port))
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(HALF_OPEN)]
        body = stack.enter_context(closing(held(edge, SHOP)))
        context = ssl.create_default_context(cafile=edge.files.authority)
        raw = stack.enter_context(socket.create_connection(address, 20))
        head = stack.enter_context(context.wrap_socket(raw, server_hostname=host))
        head.sendall(b"POST /v2/models/gen")
        begun = time.monotonic()
        assert edge.http(*post(**bearer(SHOP)), INFER.body).status == 200
        assert edge.grpc("ModelInfer", message("小美".encode()), SHOP) == "OK"
        assert time.monotonic() - begun < SLOW_S
        for connection in (*silent, body, head):
            assert is_closed(connection)
        assert time.monotonic() - begun < 3 * SLOW_S


def is_closed(connection: socket.socket) -> bool:
    """Waits until the other side has hung up; it may say why before."""
    try:
        while connection.recv(4096):
            pass
    except (ConnectionResetError, ssl.SSLError):
        pass
    except TimeoutError:
        return False
    return True


def test_tokens_are_nowhere_to_be_read(edge: Edge, triton: Server) -> None:
    process = Path(f"/proc/{edge.front.process.pid}")
    shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    shown += edge.front.log().encode() + triton.log().encode()
    assert SHOP.encode() not in shown
    assert JOB.encode() not in shown


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", "names no client; nobody could come in"),
        ('# a\n"Bearer shop" shop;\n', r'line 2: expected  "Bearer <32 to 128 hexadecimal digits>" name;'),
        (f'"Bearer {SHOP}" shop', "line 1: expected"),
        (f'"Bearer {SHOP}" shop;\n\n"Bearer {SHOP}" other;\n', "line 3: the token of line 1 again"),
        ("\xff", "cannot be read"),
    ],
)
def test_a_wrong_file_of_clients(tmp_path: Path, lines: str, expected: str) -> None:
    file = tmp_path / "clients"
    file.write_text(lines, encoding="latin-1")
    with pytest.raises(LaunchError, match=f"^{re.escape(str(file))}.*{expected}") as caught:
        Rules(clients=file)
    assert SHOP not in str(caught.value)


def test_half_of_tls_is_none(files: Files, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"TLS needs both: pass --certificate=.* and --key="):
        Rules(certificate=files.certificate)
    with pytest.raises(LaunchError, match=r"--key: there is no file .*/no; expected one of PEM"):
        Rules(certificate=files.certificate, key=tmp_path / "no")
    with pytest.raises(LaunchError, match="--in-flight=0: expected 1 or more"):
        Rules(in_flight=0)


def test_the_template_says_what_its_variables_are() -> None:
    text = TEMPLATE.read_text()
    used = re.findall(r"\$\{([A-Z_]+)\}", text)
    assert set(used) == set(re.findall(r"^#   ([A-Z_]+) ", text, re.MULTILINE))


def test_the_command_takes_all_of_it(triton: Server, files: Files) -> None:
    http_url, grpc_url = (f"127.0.0.1:{port}" for port in free_ports(2))
    servers = (
        "--http",
        triton.http_url,
        "--grpc",
        triton.grpc_url,
        "--listen-http",
        http_url,
        "--listen-grpc",
        grpc_url,
    )
    access = ("--clients", files.clients, "--certificate", files.certificate, "--key", files.key)
    command = [
        sys.executable,
        "-m",
        "server.edge.reverse_proxy",
        *servers,
        *map(str, access),
        "--rate",
        "9",
        "--bulk",
        "2",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as front:
        assert front.stdout is not None
        assert front.stdout.readline() == f"HTTP on {http_url}, gRPC on {grpc_url}; Ctrl-C to stop\n"
        with Client(f"https://{http_url}", tls=Tls(ca_file=files.authority), token=SHOP) as client:
            assert client.predict(nickname="小美").gender == "female"
        front.terminate()


def test_an_address_that_is_none() -> None:
    command = [sys.executable, "-m", "server.edge.reverse_proxy", "--listen-http", "8080"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert "--listen-http: '8080' is no address; expected host:port" in refused.stderr


@pytest.mark.parametrize("lacking", ["clients", "tls"])
def test_beyond_this_machine_only_with_tokens_and_tls(files: Files, lacking: str) -> None:
    rules = (
        Rules(certificate=files.certificate, key=files.key) if lacking == "clients" else Rules(clients=files.clients)
    )
    with (
        pytest.raises(LaunchError, match=r"^0\.0\.0\.0 is open to other machines, which takes tokens and TLS: pass"),
        running_front("127.0.0.1:1", "127.0.0.1:2", "0.0.0.0:3", "127.0.0.1:4", rules),
    ):
        pass
