"""Crashes a supervised Triton again and again, and records how it comes back and what it leaves behind."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psutil

from perf.load.served import gender_ensembles
from server.launch import shared_memory
from server.supervisor.snapshot import DEFAULTS

from ..faults.load import Reference, differ, load_users, reference_values
from ..faults.replica import Replica, ReplicaError, running_replica
from ..faults.sandboxes import Sandbox
from ..malformed.live_target import LiveTarget
from ..malformed.requests.http_requests import post, request_json
from . import impatient_supervisor

# Triton 2.51 allocates what this shape claims, and aborts.
POISON: Final = post(request_json(shape=[10**15], datatype="INT8", data=[1]))
# The longest pause before a restart, by the module of the supervisor.
SUPERVISORS: Final = {
    impatient_supervisor.MAX_PAUSE_S: impatient_supervisor.__name__,
    DEFAULTS.max_pause_s: "server.supervisor",
}
NOTICE_S: Final = 10.0
CACHE: Final = "cache"
SAMPLES, SAMPLE_S = 20, 0.1

Row = dict[str, Any]
Counts = dict[str, int]


def crash_again_and_again(folder: Path, crashes: int, max_pause_s: float) -> tuple[list[Row], Row]:
    """Crash a server `crashes` times, each time when it is ready again.

    Returns:
        One row for each crash that was survived, and what was there before the first one, after the last one, and after
        the supervisor was stopped.

    Raises:
        ReplicaError: The server was never ready, or the request did not crash it.
    """
    # A cache of its own, in which the copies of the repository can be counted.
    sandbox = Sandbox(module=SUPERVISORS[max_pause_s], environment={"XDG_CACHE_HOME": str(folder / CACHE)})
    with running_replica(folder, sandbox=lambda _: sandbox, recorded=True) as replica:
        replica.wait(replica.is_ready, "ready")
        expected, before = _answers(replica), _settled(replica)
        rows = list(_crashes(replica, crashes, max_pause_s))
        survived = len(rows) == crashes
        after, answers = (_settled(replica), _answers(replica)) if survived else ({}, {})
        processes = _family(replica)
        replica.stop()
        stopped = {"processes": sum(each.is_running() for each in processes), "regions": _regions(replica)}
    wrong = sum(key not in answers or differ(answers[key], values) for key, values in expected.items())
    return rows, {
        "max_pause_s": max_pause_s,
        "crashes": crashes,
        "answers": len(expected),
        "wrong": wrong,
        "before": before,
        "after": after,
        "stopped": stopped,
    }


def _crashes(replica: Replica, crashes: int, max_pause_s: float) -> Iterator[Row]:
    """Yield the seconds of each crash until the supervisor reports it, and until the server is ready again."""
    with closing(LiveTarget(replica.http_url, replica.grpc_url)) as target:
        for number in range(1, crashes + 1):
            if (result := target.http(POISON, half_close=False).result) != "hung up":
                raise ReplicaError(f"expected that Triton crashes, but the request was {result}")
            crashed_s = time.monotonic()
            try:
                replica.wait(lambda: replica.status("/ready")[0] == 503, "reported as down", NOTICE_S)
                noticed_s = time.monotonic() - crashed_s
                replica.wait(replica.is_ready, "ready again")
            except ReplicaError as exc:
                print(f"crash {number}: {exc}", flush=True)
                return
            recovery_s = time.monotonic() - crashed_s
            yield {"max_pause_s": max_pause_s, "crash": number, "noticed_s": noticed_s, "recovery_s": recovery_s}


def _answers(replica: Replica) -> Reference:
    return reference_values(f"grpc://{replica.grpc_url}", list(gender_ensembles().values()), load_users())


def _settled(replica: Replica) -> Counts:
    """Return what is there between two canary requests: the least of several samples."""
    samples = []
    for _ in range(SAMPLES):
        samples.append(_footprint(replica))
        time.sleep(SAMPLE_S)
    return {name: min(sample[name] for sample in samples) for name in samples[0]}


def _footprint(replica: Replica) -> Counts:
    assert replica.process
    supervisor, children = psutil.Process(replica.process.pid), _family(replica)
    return {
        "processes": len(children),
        "zombies": sum(child.status() == psutil.STATUS_ZOMBIE for child in children),
        "regions": _regions(replica),
        "copies": len(list((replica.folder / CACHE).glob("gender-triton/snapshots/*/source"))),
        "descriptors": supervisor.num_fds(),
        "threads": supervisor.num_threads(),
    }


def _family(replica: Replica) -> list[psutil.Process]:
    """The descendants of the supervisor, which adopts orphans, too."""
    assert replica.process
    return psutil.Process(replica.process.pid).children(recursive=True)


def _regions(replica: Replica) -> int:
    """The files in shared memory of all servers of this supervisor."""
    assert replica.process
    return len(list(shared_memory.FOLDER.glob(f"triton_{replica.process.pid}_*")))
