"""Triton's doors for its operator: locked where other machines can knock.

Model control loads code, shared memory reads what lies there, logging and tracing write files. On loopback they are
open, for whoever can reach them there can do all that without Triton.
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import Final

from server.launch.flags import Endpoint

APIS: Final = "model-repository,shared-memory,logging,trace"
LOCKS: Final = {"HTTP": "http-restricted-api", "gRPC": "grpc-restricted-protocol"}
HEADER: Final = "admin-key"
KEY_VARIABLE: Final = "TRITON_ADMIN_KEY"


def locks(endpoints: Iterable[Endpoint], environment: Mapping[str, str]) -> dict[str, str]:
    """Triton's flags that lock the doors, none where all of the endpoints are loopback.

    What opens them is the header `admin-key`, over gRPC `triton-grpc-protocol-admin-key`, with the value of
    `TRITON_ADMIN_KEY`; where that is not set, nothing does.
    """
    exposed = [endpoint for endpoint in endpoints if not endpoint.is_loopback and endpoint.service in LOCKS]
    if not exposed:
        return {}
    key = environment.get(KEY_VARIABLE) or secrets.token_hex(32)
    return dict.fromkeys(LOCKS.values(), f"{APIS}:{HEADER}={key}")
