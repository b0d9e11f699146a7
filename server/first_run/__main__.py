"""Serve, predict, show, stop: `make run`. Serve until told to stop: `make serve`.

python -m server.first_run [--samples FOLDER]
python -m server.first_run --serve
"""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from genderclient import Client, GenderClientError
from server.process import ROOT, Server, StartError, running_triton

from .answers import MODELS, ask
from .samples import Sample, SamplesError, drawn_samples, read_samples

REPOSITORY: Final = ROOT / "model_repository"
SERVE_PORTS: Final = (8000, 8001, 8002)

HOW_TO_CALL: Final = """\
Serving {models} on loopback; Ctrl-C stops. gRPC {grpc}, HTTP {http}, metrics {metrics}/metrics

  Python:  .venv/bin/python -c 'from genderclient import predict; print(predict(nickname="X国强"))'
  curl:    curl -s {http}/v2/models/gender_mobilenet/infer -H 'Content-Type: application/json' -d '{{"inputs": [
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
    except (SamplesError, GenderClientError) as exc:
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
    """Serve on the usual ports until stopped."""
    with running_triton(REPOSITORY, ports=SERVE_PORTS) as server, Client(f"grpc://{server.grpc_url}") as client:
        _wait_for_answers(client)
        print(_how_to_call(server), flush=True)
        code = server.process.wait()
    sys.exit(f"first_run: tritonserver ended by itself with exit code {code}")


def _wait_for_answers(client: Client) -> None:
    """A healthy endpoint does not mean that inferences work, so every model has to answer one."""
    for model in MODELS:
        client.wait_until_ready(model=model)


def _how_to_call(server: Server) -> str:
    return HOW_TO_CALL.format(
        models=" and ".join(MODELS), grpc=server.grpc_url, http=server.http_url, metrics=server.metrics_url
    )


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
