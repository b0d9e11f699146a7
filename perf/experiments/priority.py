"""The effect of a bulk job on interactive users, with and without the limit of the reverse proxy."""

import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Final

from server.edge.access_policy import BULK, IN_FLIGHT, AccessPolicy
from server.edge.reverse_proxy import running_reverse_proxy

from ..load.http_client_load import Request, background_job, triton_request
from ..load.open_loop import RateStep, open_loop, summarize
from ..load.served import gender_ensembles, running_gender_models
from ..load.workload import synthetic_users
from ..report.rounds import RoundsExperiment, Row, rotated

# A third of what the slower backbone answers on two cores.
RATE_PER_S: Final = 50
# More than the proxy lets in.
JOB_CLIENTS: Final = 2 * IN_FLIGHT
# The arms, and the client name by which the proxy knows the job.
ARMS: Final = {"no job": None, "job held back": "bulk-job", "job like everybody": "job"}
USER: Final = "user"


class Priority(RoundsExperiment):
    """Measure interactive users at a steady rate while a job sends as much as it can, both through nginx.

    Each has its own token. Needs nginx.
    """

    name = "priority"
    title = "Interactive users beside a bulk job"
    arm = ("model", "arm")
    spread = ("p99_ms",)
    about = f"""\
{RATE_PER_S} users per second, and a job of {JOB_CLIENTS} clients that resend refused requests. nginx lets in
{IN_FLIGHT} requests at once, of which a job that is held back may have {BULK}. Values are medians of the rounds."""
    columns: ClassVar = {
        "model": "{model}",
        "arm": "{arm}",
        "answered per second": "{per_s:.0f}",
        "refused": "{refused_per_s:.1f}",
        "sent late, ms (p99)": "{late_p99_ms:.1f}",
        "p50 ms": "{p50_ms:.1f}",
        "p99 ms": "{p99_ms:.1f}",
        "p99 ms of the worst round": "{p99_ms_high:.1f}",
        "answered per second, job": "{job_per_s:.0f}",
    }

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        users, ensembles = synthetic_users(args.users, args.seed), gender_ensembles()
        tokens = {name: secrets.token_hex(32) for name in (USER, *filter(None, ARMS.values()))}
        with tempfile.NamedTemporaryFile("w") as clients, running_gender_models() as server:
            clients.writelines(f'"Bearer {token}" {name};\n' for name, token in tokens.items())
            clients.flush()
            policy = AccessPolicy(clients=Path(clients.name))
            with running_reverse_proxy(server.http_url, server.grpc_url, policy) as proxy:
                for number, (model, ensemble) in product(range(args.rounds), ensembles.items()):
                    plain = [triton_request(ensemble, user) for user in users]
                    requests = {name: _with_token(plain, token) for name, token in tokens.items()}
                    for arm in rotated(ARMS, number):
                        figures = _measure(proxy.http_url, requests, ARMS[arm], args.seconds, args.seed + number)
                        yield {"round": number, "model": model, "arm": arm, **figures}


def _with_token(requests: Sequence[Request], token: str) -> list[Request]:
    return [each._replace(headers={**each.headers, "Authorization": f"Bearer {token}"}) for each in requests]


def _measure(
    url: str, requests: Mapping[str, Sequence[Request]], job: str | None, seconds: float, seed: int
) -> dict[str, float]:
    with ExitStack() as stack:
        done = stack.enter_context(background_job(url, requests[job], JOB_CLIENTS)) if job else []
        open_loop(url, requests[USER], [RateStep(RATE_PER_S, seconds / 4)], seed)
        before = len(done)
        results = open_loop(url, requests[USER], [RateStep(RATE_PER_S, seconds)], seed)
        return {**summarize(results, seconds), "job_per_s": (len(done) - before) / seconds}
