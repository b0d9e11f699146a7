"""Locks Triton's administrative APIs with a key wherever other machines can reach them.

Model control loads code, shared memory exposes memory, and logging and tracing write files. On loopback the APIs stay
open: local users can do all of this without Triton.
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import Final

from server.launch.endpoints import Endpoint

APIS: Final = "model-repository,shared-memory,logging,trace"
LOCK_FLAGS: Final = {"HTTP": "http-restricted-api", "gRPC": "grpc-restricted-protocol"}
HEADER: Final = "admin-key"
KEY_VARIABLE: Final = "TRITON_ADMIN_KEY"


def lock_flags(endpoints: Iterable[Endpoint], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the Triton flags that lock the administrative APIs; empty if every endpoint is on loopback.

    Requests then need the header `admin-key` (gRPC: `triton-grpc-protocol-admin-key`) with the value of
    `TRITON_ADMIN_KEY`. If this variable is not set, a random key is used and the APIs are inaccessible.
    """
    if all(endpoint.is_loopback for endpoint in endpoints if endpoint.service in LOCK_FLAGS):
        return {}
    key = environment.get(KEY_VARIABLE) or secrets.token_hex(32)
    return dict.fromkeys(LOCK_FLAGS.values(), f"{APIS}:{HEADER}={key}")
