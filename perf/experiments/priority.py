"""What a bulk job does to those who wait for their picture, with and without the front holding it back.

    python -m perf.experiments.priority

Interactive users come at a steady rate, a job scores users with as many clients as it likes; both through nginx, each
by a token of its own. Writes `results/priority.{csv,json,md}`.
"""

import secrets
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pandas as pd

from server.edge.access_policy import BULK, IN_FLIGHT, AccessPolicy
from server.edge.reverse_proxy import running_reverse_proxy
from server.errors import LaunchError
from server.launch.process import ROOT, Server, StartError, running_triton

from ..load.baselines import MODELS
from ..load.http_client_load import HttpLoadError, Request, flood, job, triton_request
from ..load.workload import User, users
from ..report.command import arguments, circumstances, write

# Interactive users a second, a third of what the slower backbone answers on two cores.
RATE: Final = 50
# More than there are places.
JOB_CLIENTS: Final = 2 * IN_FLIGHT
# As whom the job comes: nobody, one who leaves room, one like all others.
ARMS: Final = {"no job": None, "job held back": "bulk-job", "job like everybody": "job"}
USER: Final = "user"

Row = dict[str, Any]


def compare(server: Server, load: Sequence[User], rounds: int, seconds: float) -> pd.DataFrame:
    """Measure all arms in turn: a row for each round, model and arm.

    Raises:
        LaunchError: nginx cannot.
        HttpLoadError: a request failed otherwise than by being refused.
    """
    tokens = {name: secrets.token_hex(32) for name in (USER, *filter(None, ARMS.values()))}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        clients = Path(folder) / "clients"
        clients.write_text("".join(f'"Bearer {token}" {name};\n' for name, token in tokens.items()))
        with running_reverse_proxy(server.http_url, server.grpc_url, AccessPolicy(clients=clients)) as proxy:
            for number in range(rounds):
                for model in MODELS:
                    requests = _requests(model, load, tokens)
                    for arm, name in ARMS.items():
                        found = _measure(int(proxy.http_url.split(":")[1]), requests, name, seconds)
                        rows.append({"round": number, "model": model, "arm": arm, **found})
    return pd.DataFrame(rows)


def _requests(model: str, load: Sequence[User], tokens: dict[str, str]) -> dict[str, list[Request]]:
    """The same requests by the name of who sends them."""
    plain = [triton_request(f"gender_{model}", user) for user in load]
    return {
        name: [each._replace(headers={**each.headers, "Authorization": f"Bearer {token}"}) for each in plain]
        for name, token in tokens.items()
    }


def _measure(port: int, requests: dict[str, list[Request]], name: str | None, seconds: float) -> Row:
    with ExitStack() as stack:
        done = stack.enter_context(job(port, requests[name], JOB_CLIENTS)) if name else []
        flood(port, requests[USER], RATE, seconds / 4)
        before = len(done)
        found = flood(port, requests[USER], RATE, seconds)
        return {**found, "job_per_s": (len(done) - before) / seconds}


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """By model and arm the medians of the rounds, and the highest p99 of a round."""
    by_arm = rows.groupby(["model", "arm"], sort=False)
    found = by_arm[["per_s", "refused_per_s", "given_up_per_s", "p50_ms", "p99_ms", "job_per_s"]].median()
    found["worst_p99_ms"] = by_arm["p99_ms"].max()
    return found.reset_index()


def markdown(found: pd.DataFrame) -> str:
    """The document, from what `summarize` returned."""
    lines = [
        f"| {row['model']} | {row['arm']} | {row['per_s']:.0f} | {row['refused_per_s']:.1f} | {row['p50_ms']:.1f} "
        f"| {row['p99_ms']:.1f} | {row['worst_p99_ms']:.1f} | {row['job_per_s']:.0f} |"
        for row in found.to_dict("records")
    ]
    return f"""# Those who wait, and a job that can

Written by `python -m perf.experiments.priority`, like `priority.json` beside it, which has machine, date and seed, and
`priority.csv`, which has every round. {RATE} users a second, and a job of {JOB_CLIENTS} clients that ask again when
they are refused, through nginx: {IN_FLIGHT} requests at once, of which {BULK} of a job that is held back. Medians of
the rounds. The load generator runs on the same cores.

| model | | users answered a second | refused | p50 ms | p99 ms | p99 of the worst round | job, answered a second |
|---|---|---|---|---|---|---|---|
{chr(10).join(lines)}
"""


def main() -> None:
    args = arguments(__doc__)
    about = circumstances(args)
    try:
        with running_triton(ROOT / "model_repository") as server:
            rows = compare(server, users(args.users, args.seed), args.rounds, args.seconds)
    except (StartError, LaunchError, HttpLoadError, OSError) as exc:
        raise SystemExit(f"priority: {exc}") from exc
    found = summarize(rows)
    write("priority", rows, markdown(found), args.results, **about, arms=found.round(4).to_dict("records"))
    print((args.results / "priority.md").read_text())


if __name__ == "__main__":
    main()
