"""Which version of a backbone is served, and to whom; each command is safe under load.

    python -m server.rollout list
    python -m server.rollout canary mobilenet 3    # gender_mobilenet_canary serves version 3 beside gender_mobilenet
    python -m server.rollout promote mobilenet     # gender_mobilenet serves what its canary does
    python -m server.rollout rollback mobilenet    # gender_mobilenet serves what it served before
    python -m server.rollout end mobilenet         # no canary any more, once no client asks for it

The files of the model repository are changed, and the servers given by --url (gRPC, host:port; once for each) follow
them without a failed request; without --url a server that starts will. Servers run in Triton's explicit mode; what
opens their model control where it is locked is read from TRITON_ADMIN_KEY.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from server.edge.admin_lock import KEY_VARIABLE
from server.launch.process import ROOT

from .apply import carry_out
from .config import Versions
from .errors import LifecycleError
from .files import Changes
from .operations import canary, end, promote, rollback
from .repository import Repository
from .servers import Server

COMMANDS: Final = {
    "list": "what is served, and what could be",
    "canary": "gender_<backbone>_canary serves a version beside gender_<backbone>",
    "promote": "gender_<backbone> serves what its canary does",
    "rollback": "gender_<backbone> serves what it served before it was last promoted",
    "end": "no canary any more, once no client asks for it; versions that nothing needs are unloaded",
}


def main() -> None:
    args = _parser().parse_args()
    repository = Repository(args.repository)
    servers = [Server(url.removeprefix("grpc://"), os.environ.get(KEY_VARIABLE, "")) for url in args.url]
    try:
        if args.command != "list":
            carry_out(_changes(repository, args), servers)
        for line in _served(repository, servers):
            print(line)
    except LifecycleError as exc:
        raise SystemExit(f"lifecycle: {exc}") from exc


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "lifecycle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what)
        if name != "list":
            command.add_argument("backbone", help="such as mobilenet")
        if name == "canary":
            command.add_argument("version", type=int, help="one that conversion.publish put on disk")
        command.add_argument("--repository", type=Path, default=ROOT / "model_repository")
        command.add_argument("--url", action="append", default=[], metavar="HOST:PORT", help="gRPC of a running server")
    return parser


def _changes(repository: Repository, args: argparse.Namespace) -> Changes:
    if args.command == "canary":
        return canary(repository, args.backbone, args.version)
    return {"promote": promote, "rollback": rollback, "end": end}[args.command](repository, args.backbone)


def _served(repository: Repository, servers: Sequence[Server]) -> Iterator[str]:
    """What the files say, and where a server differs."""
    for backbone in repository.backbones():
        ensemble, canary = repository.ensemble(backbone), repository.canary(backbone)
        for config in filter(None, (ensemble, canary)):
            yield f"{config.message.name}: {_versions(config.wiring)}"
            for server in servers:
                if (found := server.wiring(config.message.name)) != config.wiring:
                    yield f"  but {server.url} serves {_versions(found)}"
        if before := repository.before(backbone):
            yield f"  rollback: {_versions(before.wiring)}"
        yield f"  on disk: {backbone} {', '.join(map(str, repository.versions(backbone)))}"


def _versions(wiring: Versions) -> str:
    return ", ".join(f"{model} {version}" for model, version in wiring.items()) or "nothing"


if __name__ == "__main__":
    main()
