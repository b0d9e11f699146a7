"""A front as it stands at a public edge: certificates and clients for tests."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import grpc
import trustme
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from server.edge.access_policy import Rules

# The same in every process: tests are named by them.
SHOP, JOB = (hashlib.sha256(name).hexdigest() for name in (b"shop", b"job"))


@dataclass(frozen=True)
class Files:
    """What the operator has, and the authority that clients trust."""

    clients: Path
    certificate: Path
    key: Path
    authority: Path

    def rules(self, **limits: int) -> Rules:
        return Rules(clients=self.clients, certificate=self.certificate, key=self.key, **limits)


def write_files(folder: Path) -> Files:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    files = Files(*(folder / name for name in ("clients", "front.pem", "front.key", "ca.pem")))
    files.clients.write_text(f'# who may come in\n"Bearer {SHOP}" shop;\n"Bearer {JOB}" bulk-scoring;\n')
    issued.cert_chain_pems[0].write_to_path(str(files.certificate))
    issued.private_key_pem.write_to_path(str(files.key))
    authority.cert_pem.write_to_path(str(files.authority))
    return files


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def grpc_status(url: str, method: str, request: object, metadata: dict[str, str], authority: Path | None) -> str:
    """What a call ends with: `OK`, or its status and what it says."""
    credentials = grpc.ssl_channel_credentials(authority.read_bytes()) if authority else None
    with grpc.secure_channel(url, credentials) if credentials else grpc.insecure_channel(url) as channel:
        try:
            getattr(GRPCInferenceServiceStub(channel), method)(request, metadata=tuple(metadata.items()), timeout=10)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
    return "OK"
