"""A product that asks through genderclient and shows its OpenTelemetry metrics to Prometheus; `reliability.monitoring` runs it.

    python -m reliability.monitoring.instrumented_client --url grpc://127.0.0.1:8001 --metrics-port 9464

Reads phases from stdin, one line of JSON each, and answers each with a line that says what became of what it asked.
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
from perf.report.command import positive

MODEL: Final = "gender_mobilenet"
# The share of users who have not chosen a picture.
PICTURELESS: Final = 0.1
REFUSALS: Final = {InvalidAvatar: f"refused {AVATAR}", InvalidNickname: f"refused {NICKNAME}"}


@dataclass(frozen=True)
class Phase:
    """So many clients at once, each asking again when it is answered; `bad` is the share of bad inputs."""

    name: str
    clients: int
    bad: float
    seconds: float


def ask(client: Client, load: Sequence[SyntheticUser], phase: Phase, seed: int) -> Counter[str]:
    """How many were `answered`, `missing` and `refused`, the latter two by tensor.

    Raises:
        GenderClientError: a request failed otherwise than by being refused.
    """
    garbage = _garbage(load)
    end = time.monotonic() + phase.seconds

    def user(number: int) -> Counter[str]:
        dice, found = Random(f"{seed}/{phase.name}/{number}"), Counter[str]()
        for turn in count(number, phase.clients):
            if time.monotonic() > end:
                break
            asked = dice.choice(garbage) if dice.random() < phase.bad else load[turn % len(load)]
            found.update(_outcome(client, asked.nickname, b"" if dice.random() < PICTURELESS else asked.avatar))
        return found

    with ThreadPoolExecutor(phase.clients) as pool:
        return sum(pool.map(user, range(phase.clients)), Counter[str]())


def _outcome(client: Client, nickname: str, avatar: bytes) -> list[str]:
    try:
        prediction = client.predict(nickname=nickname, avatar=avatar or None)
    except (InvalidAvatar, InvalidNickname) as refusal:
        return [REFUSALS[type(refusal)]]
    weights = {AVATAR: prediction.weights.avatar, NICKNAME: prediction.weights.nickname}
    return ["answered", *(f"missing {name}" for name, weight in weights.items() if weight == 0)]


def _garbage(load: Sequence[SyntheticUser]) -> list[SyntheticUser]:
    """Inputs that are refused, each for another reason."""
    jpeg = next(user.avatar for user in load if user.avatar.startswith(b"\xff\xd8"))
    cut, long = jpeg[: len(jpeg) // 2], "a" * (MAX_NICKNAME_BYTES + 1)
    return [SyntheticUser(b"no picture", "小美"), SyntheticUser(cut, "小美"), SyntheticUser(jpeg, long)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="Triton's")
    parser.add_argument("--metrics-port", type=positive, required=True, help="on loopback")
    parser.add_argument("--users", type=positive, default=256, help="different ones")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    start_http_server(args.metrics_port, "127.0.0.1")
    load = synthetic_users(args.users, args.seed)
    with Client(args.url, model=MODEL) as client:
        client.wait_until_ready()
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(ask(client, load, Phase(**json.loads(line)), args.seed)), flush=True)


if __name__ == "__main__":
    main()
