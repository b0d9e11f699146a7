"""Change which version of a model is served; every command is safe under load.

    python -m server.rollout list
    python -m server.rollout canary mobilenet 3    # gender_mobilenet_canary serves version 3 beside gender_mobilenet
    python -m server.rollout promote mobilenet     # gender_mobilenet serves the canary's version
    python -m server.rollout rollback mobilenet    # gender_mobilenet serves its previous version
    python -m server.rollout end mobilenet         # remove the canary, once no client uses it

Name a backbone, or any ensemble: `canary similar 2` serves version 2 of the gallery, `canary rank_mobilenet 2` serves
version 2 of the ranker, each with the newest encoder or gallery on disk that fits it.

The commands change the files of the model repository. The servers given by --url (gRPC, host:port; repeat the flag for
more) follow without a failed request, those of other users and machines if they have a supervisor; without --url, a
server follows when it starts. Servers run in Triton's explicit mode. If you set the key of their model control, or they
are another user's, set TRITON_ADMIN_KEY to it.
"""

import argparse
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from server.catalog import CatalogError
from server.checksums import check_files
from server.errors import ControlError, LaunchError, RolloutError
from server.launch.process import ROOT, unignored_stop_signals
from server.triton_control import TritonControl

from .apply import apply, served_steps
from .files import FileChanges
from .operations import canary, end, promote, rollback
from .repository import Repository, leading

OPERATIONS: Final[dict[str, Callable[..., FileChanges]]] = {
    "canary": canary,
    "promote": promote,
    "rollback": rollback,
    "end": end,
}


def main() -> None:
    args = _parser().parse_args()
    try:
        servers = [TritonControl(url.removeprefix("grpc://")) for url in args.url]
        if args.command != "list":
            options = {name: getattr(args, name) for name in ("version", "force") if name in args}
            check_files(args.repository)
            changes = OPERATIONS[args.command](Repository(args.repository), args.name, **options)
            apply(changes, args.repository, servers)
        for line in _summary(Repository(args.repository), servers):
            print(line)
    except (RolloutError, ControlError, CatalogError, LaunchError) as exc:
        raise SystemExit(f"rollout: {exc}") from exc
    except KeyboardInterrupt as exc:  # before or after the changes, or a second time while they were undone
        if isinstance(exc.__context__, RolloutError):
            raise SystemExit(f"rollout: {exc.__context__}") from exc
        raise SystemExit(128 + signal.SIGINT) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m server.rollout", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, operation in {"list": None, **OPERATIONS}.items():
        summary = operation.__doc__ if operation else "Show the versions that are served and those on disk."
        command = commands.add_parser(name, help=summary, description=summary)
        if operation:
            command.add_argument("name", help="a backbone or an ensemble, such as mobilenet or rank_mobilenet")
        if name == "canary":
            command.add_argument("version", type=int, help="a published version of its last model")
        if name == "promote":
            command.add_argument("--force", action="store_true", help="even a version that was published with --force")
        command.add_argument("--repository", type=Path, default=ROOT / "model_repository")
        command.add_argument("--url", action="append", default=[], metavar="HOST:PORT", help="gRPC of a running server")
    return parser


def _summary(repository: Repository, servers: Sequence[TritonControl]) -> Iterator[str]:
    """What the files say, and where a server differs."""
    for name in (each.name for each in repository.stable_ensembles()):
        stable = repository.stable(name)
        for config in filter(None, (stable, repository.canary(name))):
            yield f"{config.name}: {_listed(config.steps)}"
            for server in servers:
                if (steps := served_steps(server, config.name)) != config.steps:
                    yield f"  but {server.url} serves {_listed(steps)}"
        if previous := repository.previous(name):
            yield f"  rollback: {_listed(previous.steps)}"
        model = leading(stable)
        yield f"  on disk: {model} {', '.join(map(str, repository.model(model).versions))}"


def _listed(steps: dict[str, int]) -> str:
    return ", ".join(f"{model} {version}" for model, version in steps.items()) or "nothing"


if __name__ == "__main__":
    for number in unignored_stop_signals():
        signal.signal(number, signal.default_int_handler)  # each restores what was changed, as Ctrl-C does
    main()
