"""Which of several Tritons get requests: those that their supervisors report as ready.

nginx itself notices a Triton that hangs only when a request has waited for `READ_TIMEOUT`.
"""

import http.client
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Final

TIMEOUT_S: Final = 0.5


@dataclass(frozen=True)
class Triton:
    """The addresses of a Triton, each `host:port`; `status` is that of its supervisor, empty if it has none."""

    http: str
    grpc: str
    status: str = ""


def upstream(addresses: Sequence[str]) -> str:
    """Return several addresses as a value of the template's variables `HTTP` and `GRPC`."""
    return "; server ".join(addresses)


def ready_tritons(tritons: Sequence[Triton]) -> Sequence[Triton]:
    """Return those that are ready or have no supervisor; all if there are none, as some of their models may answer."""
    with ThreadPoolExecutor(len(tritons)) as pool:
        is_ready = pool.map(lambda triton: not triton.status or _is_ready(triton.status), tritons)
        return [triton for triton, ready in zip(tritons, is_ready, strict=True) if ready] or tritons


def _is_ready(status: str) -> bool:
    with closing(http.client.HTTPConnection(status, timeout=TIMEOUT_S)) as connection:
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
