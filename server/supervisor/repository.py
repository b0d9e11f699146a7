"""What a model repository holds, read from its configurations: it has to be known before any server answers."""

from collections.abc import Iterable
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from server.errors import LaunchError

# What an ensemble takes that `genderclient` can ask.
INPUTS = {"AVATAR", "NICKNAME"}


def ensembles(repositories: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """The ensembles that answer users, each with the models it is made of.

    Raises:
        LaunchError: there are none, or a configuration cannot be read.
    """
    folders = list(repositories)
    files = sorted(file for folder in folders for file in folder.glob("*/config.pbtxt"))
    found = dict(map(_ensemble, files))
    watched = {name: steps for name, steps in found.items() if steps}
    if not watched:
        raise LaunchError(
            f"no ensemble with the inputs {' and '.join(sorted(INPUTS))} in {', '.join(map(str, folders)) or 'nothing'}"
            "; pass --model-repository=<folder> with one, for without it there is nothing to ask"
        )
    return watched


def _ensemble(file: Path) -> tuple[str, tuple[str, ...]]:
    """A model's name and its steps; no steps where it is no ensemble for users."""
    try:
        config = text_format.Parse(file.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as exc:
        raise LaunchError(f"{file} cannot be read: {exc}; see Triton's model configuration") from exc
    asks_users = {each.name for each in config.input} >= INPUTS
    steps = (step.model_name for step in config.ensemble_scheduling.step) if asks_users else ()
    return config.name or file.parent.name, tuple(dict.fromkeys(steps))
