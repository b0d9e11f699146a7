"""Locks Triton's administrative APIs with a key, on loopback too.

Model control loads code, shared memory exposes memory, and logging and tracing write files. On loopback, any web page
could call them through the browser of a developer: a cross-origin POST of plain text needs no permission. A page cannot
send the header with the key.
"""

import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.errors import LaunchError
from server.launch.flags import Flags
from server.launch.runtime import cache_home

APIS: Final = ("model-repository", "shared-memory", "logging", "trace")
LOCK_FLAGS: Final = ("http-restricted-api", "grpc-restricted-protocol")
HEADER: Final = "admin-key"
KEY_VARIABLE: Final = "TRITON_ADMIN_KEY"
KEY_BYTES: Final = 32


def lock_flags(flags: Flags, key: str) -> list[str]:
    """Return the Triton flags that lock the administrative APIs, except those that the given flags lock already.

    Requests then need the header `admin-key` (gRPC: `triton-grpc-protocol-admin-key`) with the key.
    """
    locks = []
    for flag in LOCK_FLAGS:
        locked = {api for value in flags.all(flag) for api in value.partition(":")[0].split(",")}
        if apis := [api for api in APIS if api not in locked]:
            locks.append(f"--{flag}={','.join(apis)}:{HEADER}={key}")
    return locks


def admin_key(environment: Mapping[str, str] = os.environ) -> str:
    """Return `TRITON_ADMIN_KEY`, or the key of this user's servers from a file that only the user can read.

    The file is created if it does not exist. If it cannot be, the key is random, and `TRITON_ADMIN_KEY` is the only way
    to the APIs.

    Raises:
        LaunchError: Other users can read or change the file, or it contains no key.
    """
    if key := environment.get(KEY_VARIABLE):
        return key
    try:
        return _key_in(key_file(environment))
    except (OSError, RuntimeError):  # The cache is read-only, or the user has no home folder.
        return secrets.token_hex(KEY_BYTES)


def key_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file of the key of this user's servers."""
    return cache_home(environment) / "gender-triton" / "admin-key"


def _key_in(file: Path) -> str:
    if not file.exists():
        _create_key(file)
    status = file.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise LaunchError(f"other users can read the admin key in {file}; delete the file and restart the servers")
    key = file.read_text().strip()
    if len(key) < KEY_BYTES:
        raise LaunchError(f"{file} contains no admin key; delete the file and restart the servers")
    return key


def _create_key(file: Path) -> None:
    """Write the key to a draft and link it, so that concurrent starts read one complete key."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=file.parent)  # only its owner can read it
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_hex(KEY_BYTES))
        with suppress(FileExistsError):
            Path(file).hardlink_to(draft)
    finally:
        Path(draft).unlink()
