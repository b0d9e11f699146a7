"""A reverse proxy with tokens and TLS, and requests through it."""

import hashlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import grpc
import trustme
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from genderprep.tensors import AVATAR, NICKNAME
from perf.load.http_client_load import triton_request
from perf.load.workload import SyntheticUser
from server.edge.access_policy import AccessPolicy
from server.edge.reverse_proxy import ReverseProxy

# Constant, because they appear in the names of parametrized tests.
SHOP, JOB = (hashlib.sha256(name).hexdigest() for name in (b"shop", b"job"))
MODEL = "gender_mobilenet"
INFER = triton_request(MODEL, SyntheticUser(b"", "小美"))


@dataclass(frozen=True)
class EdgeFiles:
    """The operator's files, and the authority that clients trust."""

    clients: Path
    certificate: Path
    key: Path
    authority: Path

    def policy(self, **limits: int) -> AccessPolicy:
        return AccessPolicy(clients=self.clients, certificate=self.certificate, key=self.key, **limits)


@dataclass(frozen=True)
class HttpResponse:
    status: int
    text: str

    @property
    def error(self) -> str:
        """The error message, without what follows the first colon."""
        return str(json.loads(self.text)["error"]).partition(":")[0]


@dataclass(frozen=True)
class Edge:
    """A running reverse proxy with tokens and TLS."""

    proxy: ReverseProxy
    files: EdgeFiles

    def http(
        self, method: str, path: str, headers: dict[str, str], body: bytes | Iterable[bytes] | None = None
    ) -> HttpResponse:
        with closing(http.client.HTTPSConnection(self.proxy.http_url, timeout=20, context=self.tls())) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return HttpResponse(response.status, response.read().decode(errors="replace"))

    def infer(self, token: str = "", body: bytes | Iterable[bytes] = INFER.body, **headers: str) -> HttpResponse:
        """Post an inference of one user, or another body."""
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http("POST", INFER.path, INFER.headers | (bearer(token) if token else {}) | own, body)

    def grpc(self, method: str, request: object, token: str) -> str:
        return grpc_status(self.proxy.grpc_url, method, request, bearer(token) if token else {}, self.files.authority)

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.files.authority)

    def stalled_request(self, token: str) -> socket.socket:
        """Open a connection and send the headers of an inference without its body."""
        host, port = self.proxy.http_url.split(":")
        connection = self.tls().wrap_socket(socket.create_connection((host, int(port)), 20), server_hostname=host)
        head = f"POST {INFER.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 99\r\n\r\n"
        connection.sendall(head.encode())
        return connection


def write_edge_files(folder: Path) -> EdgeFiles:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    files = EdgeFiles(*(folder / name for name in ("clients", "proxy.pem", "proxy.key", "ca.pem")))
    files.clients.write_text(f'# clients\n"Bearer {SHOP}" shop;\n"Bearer {JOB}" bulk-scoring;\n')
    issued.cert_chain_pems[0].write_to_path(str(files.certificate))
    issued.private_key_pem.write_to_path(str(files.key))
    authority.cert_pem.write_to_path(str(files.authority))
    return files


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def infer_message(nickname: bytes = b"") -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name=MODEL)
    for name, value in ((AVATAR, b""), (NICKNAME, nickname)):
        request.inputs.add(name=name, datatype="BYTES", shape=[1, 1])
        request.raw_input_contents.append(len(value).to_bytes(4, "little") + value)
    return request


def grpc_status(url: str, method: str, request: object, metadata: dict[str, str], authority: Path | None) -> str:
    """Call a method and return `OK`, or its status and message."""
    credentials = grpc.ssl_channel_credentials(authority.read_bytes()) if authority else None
    with grpc.secure_channel(url, credentials) if credentials else grpc.insecure_channel(url) as channel:
        try:
            getattr(GRPCInferenceServiceStub(channel), method)(request, metadata=tuple(metadata.items()), timeout=10)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
    return "OK"
