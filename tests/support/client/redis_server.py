"""A real redis-server on a Unix socket of its own."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

REDIS: Final = shutil.which("redis-server")
DEADLINE_S: Final = 10.0


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Yields the URL of a server that writes nothing to disk and listens on no port."""
    assert REDIS
    # The path of a socket has at most 107 bytes.
    socket = folder / "redis.sock"
    command = [
        REDIS,
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            deadline_s = time.monotonic() + DEADLINE_S
            while not socket.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline_s
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            process.terminate()
