"""What the files of a model repository say about a rollout: which versions are served, which fit together."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import onnxruntime as ort

from server.catalog import CANARY_SUFFIX, CONFIG, FORCED, GATE, Catalog
from server.errors import RolloutError

from .config_file import ConfigFile

PREPROCESS: Final = "preprocess"
DIGEST: Final = "prep_digest"
PREVIOUS: Final = "config.pbtxt.previous"


class Repository:
    """A model repository as its files are now; read it again after a change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = Catalog(folder)

    def stable(self, backbone: str) -> ConfigFile:
        """The ensemble that serves a backbone. Raises CatalogError if there is none."""
        return _read_ensemble(self.folder / self.catalog.ensemble(backbone).name / CONFIG)

    def canary_file(self, backbone: str) -> Path:
        """The configuration of a backbone's canary, whether it exists or not."""
        return self.folder / f"{self.catalog.ensemble(backbone).name}{CANARY_SUFFIX}" / CONFIG

    def canary(self, backbone: str) -> ConfigFile | None:
        """The canary of a backbone's ensemble."""
        return _read_if_any(self.canary_file(backbone))

    def previous(self, backbone: str) -> ConfigFile | None:
        """A backbone's ensemble before its last promotion."""
        return _read_if_any(self.stable(backbone).file.with_name(PREVIOUS))

    def ensembles(self) -> list[ConfigFile]:
        """All ensembles, and those that a rollback would restore."""
        files = [*self.folder.glob(f"*/{CONFIG}"), *self.folder.glob(f"*/{PREVIOUS}")]
        return [config for config in map(_read_ensemble, sorted(files)) if config.steps]

    def model(self, name: str) -> ConfigFile:
        return ConfigFile.read(self.folder / name / CONFIG)

    def steps_of(self, backbone: str, version: int) -> dict[str, int]:
        """A version on disk, and the newest preprocessing on disk that it was trained with."""
        return {PREPROCESS: max(self._preprocessings(backbone, version)), backbone: version}

    def check(self, steps: dict[str, int]) -> None:
        """Raises RolloutError if a model is not on disk, or was not trained with this preprocessing."""
        for model in steps.keys() - {PREPROCESS}:
            if steps[PREPROCESS] not in (fitting := self._preprocessings(model, steps[model])):
                raise RolloutError(
                    f"{model} {steps[model]} was trained with {PREPROCESS} {', '.join(map(str, fitting))}, "
                    f"not with {steps[PREPROCESS]}; start a canary of it again"
                )

    def _preprocessings(self, model: str, version: int) -> list[int]:
        """The preprocessings on disk that a version was trained with, by digest; at least one."""
        digest, preprocess = self._digest(model, version), self.model(PREPROCESS)
        digests = {each: preprocess.parameter(f"{DIGEST}_{each}") for each in preprocess.versions}
        if digest not in digests.values():
            listed = ", ".join(f"{each}: {declared[:12] or 'none'}" for each, declared in digests.items())
            raise RolloutError(
                f"{model}/{version}/model.onnx was trained with preprocessing {digest[:12]}, but {preprocess.folder} "
                f"has {listed}; train and publish the model again, or add that preprocessing"
            )
        return [each for each, declared in digests.items() if declared == digest]

    def is_forced(self, model: str, version: int) -> bool:
        """Whether a version was published with --force although it is worse than the one that was served."""
        return self._metadata(model, version).get(GATE) == FORCED

    def _digest(self, model: str, version: int) -> str:
        """The digest of the preprocessing that a version was trained with."""
        metadata = self._metadata(model, version)
        if DIGEST not in metadata:
            raise RolloutError(f"{self._onnx(model, version)} does not name its preprocessing; publish the model again")
        return metadata[DIGEST]

    def _onnx(self, model: str, version: int) -> Path:
        return self.folder / model / str(version) / "model.onnx"

    def _metadata(self, model: str, version: int) -> dict[str, str]:
        file = self._onnx(model, version)
        if not file.is_file():
            versions = ", ".join(map(str, self.catalog.model(model).versions)) or "none"
            raise RolloutError(f"{file} does not exist; versions on disk: {versions}")
        try:
            return dict(_session(file).get_modelmeta().custom_metadata_map)
        except Exception as exc:  # ONNX Runtime's errors share no narrower base
            raise RolloutError(f"{file} cannot be loaded: {exc}; publish the model again") from exc


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
