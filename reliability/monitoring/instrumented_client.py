"""A program that uses genderclient and exposes its OpenTelemetry metrics to Prometheus.

    python -m reliability.monitoring.instrumented_client --url grpc://127.0.0.1:8001 --metrics-port 9464

Reads phases from stdin, one JSON object a line, and writes counts of the results to stdout, one JSON object a line.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
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
from perf.report.runner import add_users, positive

BACKBONE: Final = "mobilenet"
MODEL: Final = f"gender_{BACKBONE}"
# Share of users without an avatar.
NO_AVATAR: Final = 0.1
REFUSALS: Final = {InvalidAvatar: f"refused {AVATAR}", InvalidNickname: f"refused {NICKNAME}"}


@dataclass(frozen=True)
class LoadPhase:
    """Load from concurrent clients, each of which sends its next request when the last is answered.

    Attributes:
        name: The name of the phase.
        clients: Concurrent clients.
        bad: Share of requests with an invalid input.
        seconds: Length of the phase.
    """

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="URL of Triton")
    parser.add_argument("--metrics-port", type=positive, required=True, help="loopback port of the metrics")
    parser.add_argument("--seed", type=int, default=1)
    add_users(parser)
    args = parser.parse_args()
    set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    start_http_server(args.metrics_port, "127.0.0.1")
    users = synthetic_users(args.users, args.seed)
    with Client(args.url, model=MODEL) as client:
        client.wait_until_ready()
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(run_phase(client, users, LoadPhase(**json.loads(line)), args.seed)), flush=True)


if __name__ == "__main__":
    main()
