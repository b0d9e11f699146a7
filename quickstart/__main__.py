"""Serve, predict, show, stop: `make run`. Serve until told to stop: `make serve`.

python -m quickstart [--samples FOLDER]
python -m quickstart --serve
"""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from genderclient import Client, GenderClientError
from server.errors import LaunchError
from server.launch.process import ROOT, StartError, check_free, failure_in, port_flags, running_triton
from server.supervisor.child import Command
from server.supervisor.status import STATUS_PORT, SupervisorStatus, serve_status
from server.supervisor.watch import GaveUp, Supervisor

from .answers import MODELS, ask
from .samples import Sample, SamplesError, drawn_samples, read_samples

REPOSITORY: Final = ROOT / "model_repository"
SERVE_PORTS: Final = (8000, 8001, 8002)

HTTP, GRPC, METRICS = (f"127.0.0.1:{port}" for port in SERVE_PORTS)
HOW_TO_CALL: Final = f"""\
Serving {" and ".join(MODELS)} on loopback; Ctrl-C stops.
gRPC {GRPC}, HTTP {HTTP}, metrics {METRICS}/metrics, readiness 127.0.0.1:{STATUS_PORT}/ready

  Python:  .venv/bin/python -c 'from genderclient import predict; print(predict(nickname="X国强"))'
  curl:    curl -s {HTTP}/v2/models/gender_mobilenet/infer -H 'Content-Type: application/json' -d '{{"inputs": [
             {{"name": "AVATAR", "shape": [1, 1], "datatype": "BYTES", "data": [""]}},
             {{"name": "NICKNAME", "shape": [1, 1], "datatype": "BYTES", "data": ["X国强"]}}]}}'
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, help="folder with your own pictures and nicknames.csv (file,nickname)")
    parser.add_argument("--picture", type=Path, default=Path("out", "first_run.png"), help="where to draw the answers")
    parser.add_argument("--serve", action="store_true", help="keep serving on ports 8000 to 8002")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        if args.serve:
            serve()
        else:
            run(read_samples(args.samples) if args.samples else drawn_samples(), args.picture)
    except (SamplesError, GenderClientError, LaunchError) as exc:
        sys.exit(f"first_run: {exc}")
    except StartError as exc:
        lost = "; to have the published models back: git checkout -- model_repository"
        sys.exit(f"first_run: {exc.reason}{lost if exc.reason.startswith('failed to load') else ''}")
    except KeyboardInterrupt:
        sys.exit(130)


def run(samples: list[Sample], picture: Path) -> None:
    """Predict the samples with both backbones, print the table, write the picture."""
    # Here, so that `make serve` starts without the drawing libraries.
    from .picture import save_picture
    from .table import print_table

    print("Starting Triton …", flush=True)
    with running_triton(REPOSITORY) as server, Client(f"grpc://{server.grpc_url}") as client:
        _wait_for_answers(client)
        answers = ask(client, samples)
    print_table(answers)
    save_picture(answers, picture)
    print(f"The same as a picture: {picture}")


def serve() -> None:
    """Serve on the usual ports, watched by the supervisor, until stopped."""
    check_free((*SERVE_PORTS, STATUS_PORT))
    # Relative, so that a space in the path to this repository does not reach Triton.
    os.chdir(ROOT)
    command = Command.parse([f"--model-repository={REPOSITORY.relative_to(ROOT)}", *port_flags(SERVE_PORTS)])
    status = SupervisorStatus()
    with serve_status(status, "127.0.0.1", STATUS_PORT), tempfile.TemporaryFile() as log:
        try:
            Supervisor(command, status, lambda: print(HOW_TO_CALL, flush=True), log=log).run()
        except GaveUp as exc:
            log.seek(0)
            text = log.read().decode(errors="replace")
            raise StartError(failure_in(text) or str(exc), text) from exc


def _wait_for_answers(client: Client) -> None:
    """A healthy endpoint does not mean that inferences work, so every model has to answer one."""
    for model in MODELS:
        client.wait_until_ready(model=model)


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
