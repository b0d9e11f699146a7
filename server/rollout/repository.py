"""What the files of a model repository say about a rollout: which versions are served, which fit together."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort

from server.catalog import CANARY_SUFFIX, CONFIG, FORCED, GATE, GENDER, RANK, Catalog, Ensemble
from server.errors import RolloutError

from .config_file import ConfigFile

PREPROCESS: Final = "preprocess"
# What a version says about itself: an ONNX file in its metadata, a gallery in its JSON.
DIGEST: Final = "prep_digest"
ENCODER: Final = "encoder_digest"
ONNX_FILE, GALLERY_FILE = "model.onnx", "gallery.json"
PREVIOUS: Final = "config.pbtxt.previous"


class Repository:
    """A model repository as its files are now; read it again after a change.

    `name` is that of a stable ensemble, or the backbone of one with the role gender. An ensemble has the version of the
    model in its last step, its leading model.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = Catalog(folder)

    def stable_ensembles(self) -> list[Ensemble]:
        """The ensembles that are no canaries, those of the role gender first."""
        return sorted(self.catalog.stable_ensembles(), key=lambda each: each.role != GENDER)

    def ensemble(self, name: str) -> Ensemble:
        """The stable ensemble of this name or backbone. Raises CatalogError if there is none."""
        named = (each for each in self.stable_ensembles() if each.name == name)
        return next(named, None) or self.catalog.ensemble(name)

    def stable(self, name: str) -> ConfigFile:
        """The configuration of an ensemble. Raises CatalogError if there is none."""
        return _read_ensemble(self.folder / self.ensemble(name).name / CONFIG)

    def canary_file(self, name: str) -> Path:
        """The configuration of an ensemble's canary, whether it exists or not."""
        return self.folder / f"{self.ensemble(name).name}{CANARY_SUFFIX}" / CONFIG

    def canary(self, name: str) -> ConfigFile | None:
        """The canary of an ensemble."""
        return _read_if_any(self.canary_file(name))

    def previous(self, name: str) -> ConfigFile | None:
        """An ensemble before its last promotion."""
        return _read_if_any(self.stable(name).file.with_name(PREVIOUS))

    def ensembles(self) -> list[ConfigFile]:
        """All ensembles, and those that a rollback would restore."""
        files = [*self.folder.glob(f"*/{CONFIG}"), *self.folder.glob(f"*/{PREVIOUS}")]
        return [config for config in map(_read_ensemble, sorted(files)) if config.steps]

    def model(self, name: str) -> ConfigFile:
        return ConfigFile.read(self.folder / name / CONFIG)

    def steps_of(self, name: str, version: int) -> dict[str, int]:
        """The steps of an ensemble with this version of its leading model, and the newest on disk that fit it.

        A backbone that others follow, to rank for example, has the version of its gender ensemble.

        Raises:
            RolloutError: The version is not on disk, or nothing on disk fits it.
        """
        ensemble, stable = self.ensemble(name), self.stable(name)
        model = leading(stable)
        steps = {**stable.steps, model: version}
        if ensemble.role == RANK and ensemble.backbone:
            steps[ensemble.backbone] = self.stable(ensemble.backbone).steps[ensemble.backbone]
        if encoder := self._facts(model, version).get(ENCODER):
            for other in steps.keys() - {model, PREPROCESS}:
                if self._facts(other, steps[other]).get(ENCODER):
                    steps[other] = max(self._of_encoder(other, encoder, f"{model} {version}"))
        if PREPROCESS in steps:
            steps[PREPROCESS] = max(self._preprocessings(steps))
        return steps

    def check(self, steps: dict[str, int]) -> None:
        """Raises RolloutError if a model is not on disk, or was not trained with this preprocessing or encoder."""
        if PREPROCESS in steps and steps[PREPROCESS] not in (fitting := self._preprocessings(steps)):
            models = ", ".join(f"{model} {version}" for model, version in steps.items() if model != PREPROCESS)
            raise RolloutError(
                f"{models} was trained with {PREPROCESS} {', '.join(map(str, fitting))}, "
                f"not with {steps[PREPROCESS]}; start a canary of it again"
            )
        encoders = {model: self._facts(model, steps[model]).get(ENCODER) for model in steps if model != PREPROCESS}
        known = {model: encoder for model, encoder in encoders.items() if encoder}
        if len(set(known.values())) > 1:
            listed = ", ".join(f"{model} {steps[model]}: {encoder[:12]}" for model, encoder in known.items())
            raise RolloutError(f"expected models of one encoder, got {listed}; start a canary of them again")

    def _of_encoder(self, model: str, encoder: str, other: str) -> list[int]:
        """The versions of a model on disk that have this encoder; at least one."""
        encoders = {each: self._facts(model, each)[ENCODER] for each in self.model(model).versions}
        if encoder not in encoders.values():
            listed = ", ".join(f"{each}: {digest[:12]}" for each, digest in encoders.items())
            raise RolloutError(
                f"{other} has the encoder {encoder[:12]}, but {self.folder / model} has {listed}; publish {model} "
                f"with that encoder"
            )
        return [each for each, digest in encoders.items() if digest == encoder]

    def _preprocessings(self, steps: dict[str, int]) -> list[int]:
        """The preprocessings on disk that all models were trained with, by digest; at least one."""
        preprocess = self.model(PREPROCESS)
        digests = {each: preprocess.parameter(f"{DIGEST}_{each}") for each in preprocess.versions}
        fitting = list(digests)
        for model in (each for each in steps if each != PREPROCESS):
            digest = self._digest(model, steps[model])
            fitting = [each for each in fitting if digests[each] == digest]
            if not fitting:
                listed = ", ".join(f"{each}: {declared[:12] or 'none'}" for each, declared in digests.items())
                raise RolloutError(
                    f"{self._file(model, steps[model])} was trained with preprocessing {digest[:12]}, but "
                    f"{preprocess.folder} has {listed}; train and publish the model again, or add that preprocessing"
                )
        return fitting

    def is_forced(self, model: str, version: int) -> bool:
        """Whether a version was published with --force although it is worse than the one that was served."""
        return self._facts(model, version).get(GATE) == FORCED

    def _digest(self, model: str, version: int) -> str:
        """The digest of the preprocessing that a version was trained with."""
        facts = self._facts(model, version)
        if DIGEST not in facts:
            raise RolloutError(f"{self._file(model, version)} does not name its preprocessing; publish the model again")
        return str(facts[DIGEST])

    def _file(self, model: str, version: int) -> Path:
        """The file in which a version says what it belongs to."""
        name = GALLERY_FILE if self.catalog.model(model).config.backend == "python" else ONNX_FILE
        return self.folder / model / str(version) / name

    def _facts(self, model: str, version: int) -> dict[str, Any]:
        file = self._file(model, version)
        if not file.is_file():
            versions = ", ".join(map(str, self.catalog.model(model).versions)) or "none"
            raise RolloutError(f"{file} does not exist; versions on disk: {versions}")
        try:
            if file.name == GALLERY_FILE:
                return dict(json.loads(file.read_text(encoding="utf-8")))
            return dict(_session(file).get_modelmeta().custom_metadata_map)
        except Exception as exc:  # ONNX Runtime's errors share no narrower base
            raise RolloutError(f"{file} cannot be loaded: {exc}; publish the model again") from exc


def leading(ensemble: ConfigFile) -> str:
    """The model in the last step of an ensemble, whose version the ensemble has."""
    return list(ensemble.steps)[-1]


def _read_if_any(file: Path) -> ConfigFile | None:
    return _read_ensemble(file) if file.is_file() else None


def _read_ensemble(file: Path) -> ConfigFile:
    ensemble = ConfigFile.read(file)
    for model, version in ensemble.steps.items():
        if version < 1:
            raise RolloutError(f"{file} uses the latest {model}; write the model_version that it should serve")
    return ensemble


def _session(file: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def versions_in(ensembles: Iterable[ConfigFile]) -> dict[str, set[int]]:
    """The versions of each model that these ensembles use."""
    versions: defaultdict[str, set[int]] = defaultdict(set)
    for ensemble in ensembles:
        for model, version in ensemble.steps.items():
            versions[model].add(version)
    return versions
