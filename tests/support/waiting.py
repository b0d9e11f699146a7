"""Waiting for other processes and threads."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HANG_S = 5.0


def wait_until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Poll until the condition is true; fail after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not true after {timeout_s:g} s"
        time.sleep(0.02)


@contextmanager
def ends_soon() -> Iterator[None]:
    """Fail if the block hangs: the other side of a test waits much longer than `HANG_S`, a busy machine does not."""
    started_s = time.monotonic()
    yield
    took_s = time.monotonic() - started_s
    assert took_s < HANG_S, f"took {took_s:.1f} s"
