"""Traffic of the layouts: by formula, by the byte meter, and on a virtual cable between two Ray nodes.

    python -m training.ranking.ams.measure          # as root; writes results/ams.{json,md}

Each node has one server and one worker. Vectors and samples are drawn: traffic does not depend on their content.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from ...report import write_report
from .arms import HISTORY, PICTURES, STEPS
from .network import Host, NetworkUnavailable, two_hosts
from .report import document

RESULTS: Final = Path(__file__).resolve().parents[3] / "results"
OBJECT_STORE_BYTES: Final = 2**30
_GCS_PORT: Final = 6379
# A node that chooses these ports itself gives up if its agents take longer than 15 s to start (ray-project/ray#65983).
_AGENT_PORTS: Final = {
    "metrics-export-port": 6380,
    "dashboard-agent-grpc-port": 6381,
    "dashboard-agent-listen-port": 6382,
    "runtime-env-agent-port": 6383,
}
_START_S: Final = 600.0
_RUN_S: Final = 900.0


def main(arguments: list[str] | None = None) -> None:
    """Run the measurement and write its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args(arguments)
    try:
        rows = measure(args.seed)
    except NetworkUnavailable as exc:
        raise SystemExit(str(exc)) from exc
    file = args.results / "ams.json"
    write_report(file, seed=args.seed, pictures=PICTURES, history=HISTORY, steps=STEPS, rows=rows)
    file.with_suffix(".md").write_text(document(json.loads(file.read_text(encoding="utf-8"))), encoding="utf-8")


def measure(seed: int) -> list[dict[str, Any]]:
    """Run all arms on two nodes.

    Raises:
        NetworkUnavailable: The nodes' network cannot be made.
    """
    environment = {
        **os.environ,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    with tempfile.TemporaryDirectory(prefix="ams-", ignore_cleanup_errors=True) as folder, two_hosts() as hosts:
        first, second = hosts
        address = f"{first.address}:{_GCS_PORT}"
        head = ("--head", f"--port={_GCS_PORT}", "--include-dashboard=false", f"--temp-dir={folder}")
        for index, (host, options) in enumerate(((first, head), (second, (f"--address={address}",)))):
            start_node(host, index, options, environment)
        arms = first.command(sys.executable, "-m", f"{__package__}.arms", address, folder, str(seed))
        finished = subprocess.run(
            arms,
            env={**environment, "RAY_ADDRESS": address},
            stdout=subprocess.PIPE,
            text=True,
            timeout=_RUN_S,
            check=True,
        )
    rows: list[dict[str, Any]] = json.loads(finished.stdout.splitlines()[-1])
    return rows


def start_node(host: Host, index: int, options: tuple[str, ...], environment: dict[str, str]) -> None:
    """Start a Ray node; it runs until its namespace ends."""
    ray = str(Path(sys.executable).with_name("ray"))
    settings = (
        f"--node-ip-address={host.address}",
        "--num-cpus=1",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        f'--resources={{"node_{index}": 100}}',
        *(f"--{name}={port}" for name, port in _AGENT_PORTS.items()),
        "--disable-usage-stats",
    )
    subprocess.run(
        host.command(ray, "start", *options, *settings),
        env=environment, stdout=subprocess.DEVNULL, timeout=_START_S, check=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
