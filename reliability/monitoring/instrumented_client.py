"""A client in a process of its own that exposes its OpenTelemetry metrics to Prometheus."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from random import Random
from typing import Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server

from genderclient import Client, InvalidAvatar, InvalidNickname
from genderprep.limits import MAX_NICKNAME_BYTES
from genderprep.tensors import AVATAR, NICKNAME
from perf.load.workload import SyntheticUser, synthetic_users
from perf.report.experiment import MeasurementError
from server.launch.process import Server, free_ports

BACKBONE: Final = "mobilenet"
MODEL: Final = f"gender_{BACKBONE}"
# Share of users without an avatar.
NO_AVATAR: Final = 0.1
REFUSALS: Final = {InvalidAvatar: f"refused {AVATAR}", InvalidNickname: f"refused {NICKNAME}"}


@dataclass(frozen=True)
class LoadPhase:
    """Load from concurrent clients without pauses; `bad` is the share of requests with an invalid input."""

    name: str
    clients: int
    bad: float
    seconds: float


def run_phase(client: Client, users: Sequence[SyntheticUser], phase: LoadPhase, seed: int) -> Counter[str]:
    """Return counts of `answered` requests, and of `missing` and `refused` ones by tensor.

    Raises:
        GenderClientError: A request failed for another reason than an invalid input.
    """
    invalid = _invalid_users(users)
    end = time.monotonic() + phase.seconds

    def run_client(number: int) -> Counter[str]:
        rng, counts = Random(f"{seed}/{phase.name}/{number}"), Counter[str]()
        for turn in count(number, phase.clients):
            if time.monotonic() > end:
                break
            user = rng.choice(invalid) if rng.random() < phase.bad else users[turn % len(users)]
            counts.update(_predict(client, user.nickname, b"" if rng.random() < NO_AVATAR else user.avatar))
        return counts

    with ThreadPoolExecutor(phase.clients) as pool:
        return sum(pool.map(run_client, range(phase.clients)), Counter[str]())


def _predict(client: Client, nickname: str, avatar: bytes) -> list[str]:
    try:
        prediction = client.predict(nickname=nickname, avatar=avatar or None)
    except (InvalidAvatar, InvalidNickname) as exc:
        return [REFUSALS[type(exc)]]
    weights = {AVATAR: prediction.weights.avatar, NICKNAME: prediction.weights.nickname}
    return ["answered", *(f"missing {name}" for name, weight in weights.items() if weight == 0)]


def _invalid_users(users: Sequence[SyntheticUser]) -> list[SyntheticUser]:
    """Return inputs that are refused for different reasons."""
    jpeg = next(user.avatar for user in users if user.avatar.startswith(b"\xff\xd8"))
    truncated, too_long = jpeg[: len(jpeg) // 2], "a" * (MAX_NICKNAME_BYTES + 1)
    return [SyntheticUser(b"not an image", "小美"), SyntheticUser(truncated, "小美"), SyntheticUser(jpeg, too_long)]


def _serve(pipe: Connection, url: str, metrics_port: int, users: int, seed: int) -> None:
    """Run the phases that arrive through the pipe, and send back their counts."""
    set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    start_http_server(metrics_port, "127.0.0.1")
    load = synthetic_users(users, seed)
    with Client(url, model=MODEL) as client:
        client.wait_until_ready()
        pipe.send(Counter())
        while True:
            pipe.send(run_phase(client, load, pipe.recv(), seed))


@dataclass(frozen=True)
class InstrumentedClient:
    """A running client; `metrics_url` is `host:port`."""

    metrics_url: str
    pipe: Connection

    def run(self, phase: LoadPhase) -> Counter[str]:
        """Run a phase in the client's process, and return the counts of `run_phase`.

        Raises:
            MeasurementError: The process exited.
        """
        with suppress(BrokenPipeError):
            self.pipe.send(phase)
        return self.receive()

    def receive(self) -> Counter[str]:
        """Return the next counts from the client's process."""
        try:
            counts: Counter[str] = self.pipe.recv()
        except (EOFError, ConnectionResetError) as exc:
            raise MeasurementError("the client exited; its traceback is above") from exc
        return counts


@contextmanager
def running_client(server: Server, users: int, seed: int) -> Iterator[InstrumentedClient]:
    """Start a client of `server` with `users` distinct users, and wait until it is ready.

    Raises:
        MeasurementError: The client exited.
    """
    (port,) = free_ports(1)
    # Not a fork: the meter provider is global, and gRPC does not survive one.
    context = multiprocessing.get_context("spawn")
    pipe, child_pipe = context.Pipe()
    arguments = (child_pipe, f"grpc://{server.grpc_url}", port, users, seed)
    process = context.Process(target=_serve, args=arguments, daemon=True)
    process.start()
    child_pipe.close()
    try:
        client = InstrumentedClient(f"127.0.0.1:{port}", pipe)
        # The client sends empty counts when the server is ready.
        client.receive()
        yield client
    finally:
        process.terminate()
        process.join()
