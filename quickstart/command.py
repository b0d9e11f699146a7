"""Predict sample users on a real Triton, or serve until stopped.

python -m quickstart [--samples FOLDER]     # make run
python -m quickstart --serve                # make serve
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from genderclient import Client, GenderClientError
from server.catalog import GENDER, Catalog, CatalogError, Ensemble
from server.errors import LaunchError
from server.launch.process import (
    ROOT,
    StartError,
    check_free,
    exit_on_stop_signals,
    failure_in,
    port_flags,
    running_triton,
)
from server.supervisor.child import Command
from server.supervisor.status import STATUS_PORT, SupervisorStatus, serve_status
from server.supervisor.watch import GaveUp, Supervisor
from training.synthetic.sample_users import SampleUser, sample_users

from .inferences import predict_samples
from .ports import port_number
from .samples import SamplesError, read_samples

REPOSITORY: Final = ROOT / "model_repository"
PICTURE: Final = Path("out", "quickstart.png")
SERVE_PORTS: Final = (8000, 8001, 8002, STATUS_PORT)
PORT_NAMES: Final = ("http", "grpc", "metrics", "ready")
USAGE: Final = """\
gRPC {grpc}, HTTP {http}, metrics {metrics}/metrics, readiness {ready}/ready

  Python:  {url}.venv/bin/python -c 'from genderclient import predict; print(predict(nickname="X国强"))'
  curl:    curl -s {http}/v2/models/gender_mobilenet/infer -H 'Content-Type: application/json' -d '{{"inputs": [
             {{"name": "AVATAR", "shape": [1, 1], "datatype": "BYTES", "data": [""]}},
             {{"name": "NICKNAME", "shape": [1, 1], "datatype": "BYTES", "data": ["X国强"]}}]}}'
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="quickstart", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=Path, help="folder with your own images and nicknames.csv (file,nickname)")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="PNG file to write (default: %(default)s)")
    parser.add_argument("--serve", action="store_true", help="serve on loopback until stopped")
    for name, port in zip(PORT_NAMES, SERVE_PORTS, strict=True):
        parser.add_argument(
            f"--{name}-port", type=port_number, default=port, metavar="PORT", help="default: %(default)s"
        )
    args = parser.parse_args()
    ports = [getattr(args, f"{name}_port") for name in PORT_NAMES]
    if len({*ports}) < len(ports):
        parser.error("expected four different ports")
    exit_on_stop_signals()
    try:
        if args.serve:
            serve(ports)
        else:
            run(read_samples(args.samples) if args.samples else sample_users(), args.picture)
    except BrokenPipeError:
        # The reader of the output has ended, as in `make run | head`. Python would report it again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OSError, SamplesError, GenderClientError, LaunchError, CatalogError) as exc:
        sys.exit(f"quickstart: {exc}")
    except StartError as exc:
        hint = "; to restore the published models, run: git checkout -- model_repository"
        sys.exit(f"quickstart: {exc.reason}{hint if exc.reason.startswith('failed to load') else ''}")


def run(users: list[SampleUser], picture: Path) -> None:
    """Predict the users with every backbone, print a table and write a picture."""
    # Imported here, so that `make serve` starts without the drawing libraries.
    from .gallery_cards import GalleryCards
    from .picture import save_picture
    from .ranked_cards import RANK_MODEL, rank_cards, save_cards
    from .similar_cards import find_similar_cards, save_similar_cards
    from .table import print_table

    # If it cannot be written, fail now.
    picture.parent.mkdir(parents=True, exist_ok=True)
    ensembles = gender_ensembles()
    print("Starting Triton …", flush=True)
    with running_triton(REPOSITORY) as server, Client(f"grpc://{server.grpc_url}") as client:
        for ensemble in ensembles:
            # Triton's health endpoint is green before a model can answer.
            client.wait_until_ready(model=ensemble.name)
        inferences = predict_samples(client, users, ensembles)
        gallery = GalleryCards(Catalog(REPOSITORY).step_folder(RANK_MODEL, "gallery"))
        if gallery.are_drawn:
            # Users whose input was rejected have no cards.
            answered = [of_user[0].user for of_user in inferences if of_user[0].prediction]
            ranked = rank_cards(client, answered, gallery)
            similar = find_similar_cards(client)
    print_table(inferences)
    save_picture(inferences, picture)
    print(f"The same as a picture: {picture}")
    if not gallery.are_drawn:
        print("The gallery has pictures that were not drawn here, so no cards are shown.")
        return
    cards = picture.with_name(f"{picture.stem}_cards{picture.suffix}")
    save_cards(ranked, gallery, cards)
    print(f"Cards for the first users, before and after three likes: {cards}")
    neighbors = picture.with_name(f"{picture.stem}_similar{picture.suffix}")
    save_similar_cards(similar, gallery, neighbors)
    print(f"A card and its neighbors, before and after training: {neighbors}")


def serve(ports: Sequence[int] = SERVE_PORTS) -> None:
    """Serve on these ports, in the order of `PORT_NAMES`, under the supervisor, until stopped."""
    check_free(ports)
    *triton_ports, status_port = ports
    names = " and ".join(ensemble.name for ensemble in gender_ensembles())
    # A relative path, because Triton cannot load from a path with a space.
    os.chdir(ROOT)
    command = Command.parse([f"--model-repository={REPOSITORY.relative_to(ROOT)}", *port_flags(triton_ports)])
    banner = f"Serving {names} on loopback; press Ctrl-C to stop.\n{_usage(ports)}"
    status = SupervisorStatus()
    with serve_status(status, "127.0.0.1", status_port), tempfile.TemporaryFile() as log:
        try:
            Supervisor(command, status, lambda: print(banner, flush=True), log=log).run()
        except GaveUp as exc:
            log.seek(0)
            text = log.read().decode(errors="replace")
            raise StartError(failure_in(text) or str(exc), text) from exc


def _usage(ports: Sequence[int]) -> str:
    """Where the server listens, and how to call it."""
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip(PORT_NAMES, ports, strict=True)}
    is_default = addresses["grpc"] == f"127.0.0.1:{SERVE_PORTS[1]}"
    return USAGE.format(**addresses, url="" if is_default else f"GENDERCLIENT_URL=grpc://{addresses['grpc']} ")


def gender_ensembles() -> list[Ensemble]:
    return Catalog(REPOSITORY).stable_ensembles(GENDER)
