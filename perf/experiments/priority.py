"""The effect of a bulk job on interactive users, with and without the limit of the reverse proxy."""

import secrets
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pandas as pd

from server.edge.access_policy import BULK, IN_FLIGHT, AccessPolicy
from server.edge.reverse_proxy import running_reverse_proxy
from server.launch.process import Server, running_triton

from ..load.http_client_load import Request, background_job, triton_request
from ..load.open_loop import RateStep, open_loop, summarize
from ..load.served import REPOSITORY, gender_ensembles
from ..load.workload import SyntheticUser, synthetic_users
from ..report.experiment import Experiment, Measurement
from ..report.markdown import table
from ..report.rounds import medians
from ..report.runner import add_rounds

# A third of what the slower backbone answers on two cores.
RATE_PER_S: Final = 50
# More than the proxy lets in.
JOB_CLIENTS: Final = 2 * IN_FLIGHT
# The arms, and the client name by which the proxy knows the job.
ARMS: Final = {"no job": None, "job held back": "bulk-job", "job like everybody": "job"}
USER: Final = "user"

RequestsByClient = Mapping[str, Sequence[Request]]


class Priority(Experiment):
    """Measure interactive users at a steady rate while a job sends as much as it can, both through nginx.

    Each has its own token. Needs nginx.
    """

    name = "priority"
    title = "Interactive users beside a bulk job"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_rounds(parser)

    def measure(self, args: Any) -> Measurement:
        users = synthetic_users(args.users, args.seed)
        with running_triton(REPOSITORY) as server:
            return Measurement(
                measure_arms(server, gender_ensembles(), users, args.rounds, args.seconds, args.seed), {}
            )

    def table(self, measurement: Measurement) -> str:
        arms = medians(measurement.rows, by=["model", "arm"], spread=["p99_ms"])
        columns = {
            "model": "{model}",
            "arm": "{arm}",
            "answered per second": "{per_s:.0f}",
            "refused": "{refused_per_s:.1f}",
            "p50 ms": "{p50_ms:.1f}",
            "p99 ms": "{p99_ms:.1f}",
            "p99 ms of the worst round": "{p99_ms_high:.1f}",
            "answered per second, job": "{job_per_s:.0f}",
        }
        return f"""{RATE_PER_S} users per second, and a job of {JOB_CLIENTS} clients that resend refused requests. nginx lets in {IN_FLIGHT} requests at
once, of which a job that is held back may have {BULK}. Values are medians of the rounds.

{table(arms, columns)}"""


def measure_arms(
    server: Server, ensembles: Mapping[str, str], users: Sequence[SyntheticUser], rounds: int, seconds: float, seed: int
) -> pd.DataFrame:
    """Measure all arms in turn; returns one row per round, model and arm."""
    tokens = {name: secrets.token_hex(32) for name in (USER, *filter(None, ARMS.values()))}
    rows: list[dict[str, Any]] = []
    with _proxy(server, tokens) as url:
        for number in range(rounds):
            for model, ensemble in ensembles.items():
                requests = _requests(ensemble, users, tokens)
                for arm, name in ARMS.items():
                    figures = _measure(url, requests, name, seconds, seed)
                    rows.append({"round": number, "model": model, "arm": arm, **figures})
    return pd.DataFrame(rows)


@contextmanager
def _proxy(server: Server, tokens: Mapping[str, str]) -> Iterator[str]:
    """Run nginx with these tokens by client name; yields its HTTP address."""
    with tempfile.TemporaryDirectory() as folder:
        clients = Path(folder) / "clients"
        clients.write_text("".join(f'"Bearer {token}" {name};\n' for name, token in tokens.items()))
        with running_reverse_proxy(server.http_url, server.grpc_url, AccessPolicy(clients=clients)) as proxy:
            yield proxy.http_url


def _requests(ensemble: str, users: Sequence[SyntheticUser], tokens: Mapping[str, str]) -> RequestsByClient:
    """Encode the same requests for each client, with its token."""
    plain = [triton_request(ensemble, user) for user in users]
    return {
        name: [each._replace(headers={**each.headers, "Authorization": f"Bearer {token}"}) for each in plain]
        for name, token in tokens.items()
    }


def _measure(url: str, requests: RequestsByClient, job: str | None, seconds: float, seed: int) -> dict[str, float]:
    with ExitStack() as stack:
        done = stack.enter_context(background_job(url, requests[job], JOB_CLIENTS)) if job else []
        open_loop(url, requests[USER], [RateStep(RATE_PER_S, seconds / 4)], seed)
        before = len(done)
        results = open_loop(url, requests[USER], [RateStep(RATE_PER_S, seconds)], seed)
        return {**summarize(results, seconds), "job_per_s": (len(done) - before) / seconds}
