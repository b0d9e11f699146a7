"""The reader of a model repository: which models, ensembles, roles, backbones and versions it has.

The repository itself says what is served. An ensemble's `config.pbtxt` carries `parameters` that the rest of the
product goes by:

    parameters { key: "role" value { string_value: "gender" } }
    parameters { key: "backbone" value { string_value: "densenet" } }

`role` is the question that it answers, `backbone` the model whose version it has.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

CONFIG: Final = "config.pbtxt"
ROLE: Final = "role"
BACKBONE: Final = "backbone"
# Roles: the questions that ensembles answer.
GENDER: Final = "gender"  # AVATAR and NICKNAME → the user's gender
EMBED: Final = "embed"  # PICTURE and TITLE → their vectors
SIMILAR: Final = "similar"  # PICTURE or PICTURE_ID → the most similar pictures of the gallery
SCREEN: Final = "screen"  # PICTURE → what it shows, and whether users may see it
RANK: Final = "rank"  # a user, liked pictures and candidates → the pictures that the user will like
CANARY_SUFFIX: Final = "_canary"
# The verdict of `conversion.publish` on a version, in the metadata of its ONNX file.
GATE: Final = "publish_gate"
FORCED: Final = "forced"


class CatalogError(ValueError):
    """A model repository cannot be read, or has no such model; the message is one line."""


@dataclass(frozen=True)
class Model:
    """One model of a repository.

    `config` is Triton's `ModelConfig` message; `versions` are those on disk, whether served or not.
    """

    name: str
    folder: Path
    config: Any

    @property
    def versions(self) -> list[int]:
        """Versions on disk that have a file, in order."""
        folders = (folder for folder in self.folder.iterdir() if folder.name.isdecimal() and folder.is_dir())
        return sorted(int(folder.name) for folder in folders if any(folder.iterdir()))

    @property
    def steps(self) -> dict[str, int]:
        """The models of an ensemble, each with its version; -1 is the latest. Empty if the model is no ensemble."""
        return {step.model_name: step.model_version for step in self.config.ensemble_scheduling.step}

    def parameter(self, key: str) -> str:
        """A string parameter of the configuration; empty if absent."""
        return str(self.config.parameters[key].string_value) if key in self.config.parameters else ""


@dataclass(frozen=True)
class Ensemble:
    """What clients call: `role` is the question it answers, `steps` maps its models to their versions."""

    name: str
    role: str
    backbone: str
    steps: dict[str, int]

    @property
    def is_canary(self) -> bool:
        """Whether this is the trial of another version beside the stable ensemble."""
        return self.name.endswith(CANARY_SUFFIX)


class Catalog:
    """The models of one or more repository folders, read when constructed.

    Raises:
        CatalogError: A configuration cannot be read or parsed.
    """

    def __init__(self, *repositories: Path) -> None:
        self.repositories = repositories
        files = [file for folder in repositories for file in sorted(folder.glob(f"*/{CONFIG}"))]
        self._models = {model.name: model for model in map(_read, files)}

    def models(self) -> dict[str, Model]:
        """Every model by name."""
        return dict(self._models)

    def model(self, name: str) -> Model:
        """One model. Raises CatalogError if the repository lacks it."""
        if name not in self._models:
            raise CatalogError(f"expected one of {', '.join(self._models) or 'no models'}, got {name!r}")
        return self._models[name]

    def ensembles(self, role: str | None = None) -> list[Ensemble]:
        """Ensembles, canaries included, in the order of their names; only those of `role` if given."""
        ensembles = (
            Ensemble(model.name, model.parameter(ROLE), model.parameter(BACKBONE), model.steps)
            for model in self._models.values()
            if model.steps
        )
        return sorted((each for each in ensembles if role in (None, each.role)), key=lambda each: each.name)

    def stable_ensembles(self, role: str | None = None) -> list[Ensemble]:
        """`ensembles` without the canaries."""
        return [each for each in self.ensembles(role) if not each.is_canary]

    def backbones(self, role: str = GENDER) -> list[str]:
        """Backbones that a stable ensemble of this role serves, in alphabetical order."""
        return sorted(each.backbone for each in self.stable_ensembles(role) if each.backbone)

    def ensemble(self, backbone: str, role: str = GENDER) -> Ensemble:
        """The stable ensemble of a backbone.

        Raises:
            CatalogError: No ensemble of this role has that backbone.
        """
        for each in self.stable_ensembles(role):
            if each.backbone == backbone:
                return each
        known = ", ".join(self.backbones(role)) or "none"
        raise CatalogError(f"expected a backbone with an ensemble of role {role!r} ({known}), got {backbone!r}")

    def step_folder(self, ensemble: str, model: str) -> Path:
        """The folder of the version of a model that an ensemble serves.

        Raises:
            CatalogError: There is no such model or step, or the ensemble serves the latest version and none is on disk.
        """
        step, steps = self.model(model), self.model(ensemble).steps
        if model not in steps:
            raise CatalogError(f"expected a step {model} in {ensemble}, which has {', '.join(steps) or 'none'}")
        version = steps[model]
        if version <= 0 and not step.versions:
            raise CatalogError(f"{model} has no version on disk, and {ensemble} serves the latest; publish a version")
        return step.folder / str(version if version > 0 else step.versions[-1])

    def served_version(self, backbone: str, role: str = GENDER) -> int:
        """The version of a backbone's weights that its stable ensemble serves.

        Raises:
            CatalogError: No ensemble of this role has that backbone, or it serves the latest version and none is on
                disk.
        """
        return int(self.step_folder(self.ensemble(backbone, role).name, backbone).name)

    def served_onnx(self, backbone: str, role: str = GENDER) -> Path:
        """The ONNX file of the version that a backbone's stable ensemble serves."""
        return self.step_folder(self.ensemble(backbone, role).name, backbone) / "model.onnx"


def parse_config(text: str, source: object) -> Any:
    """Parse the text of a `config.pbtxt` to Triton's `ModelConfig`.

    Raises:
        CatalogError: `text` is not a model configuration; the message names `source`.
    """
    try:
        return text_format.Parse(text, model_config_pb2.ModelConfig())
    except text_format.ParseError as exc:
        raise CatalogError(f"{source} is not a model configuration: {exc}") from exc


def read_config(file: Path) -> str:
    """The text of a `config.pbtxt`.

    Raises:
        CatalogError: The file cannot be read.
    """
    if not file.is_file():  # reading a pipe or a device may take forever
        raise CatalogError(f"{file} is not a regular file; replace it")
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise CatalogError(f"{file} cannot be read: {exc}") from exc


def _read(file: Path) -> Model:
    config = parse_config(read_config(file), file)
    return Model(config.name or file.parent.name, file.parent, config)
