"""What a model repository's files say: who is served which version, what is on disk, what belongs together."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import onnxruntime as ort

from .config import Config, Versions
from .errors import LifecycleError

PREPROCESS: Final = "preprocess"
DIGEST: Final = "prep_digest"
CONFIG: Final = "config.pbtxt"
BEFORE: Final = "config.pbtxt.before"


class Repository:
    """A folder of models, in which the ensemble `gender_<backbone>` wires `preprocess` and `<backbone>`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def backbones(self) -> list[str]:
        """Those that an ensemble serves."""
        ensembles = (file.parent.name for file in self.folder.glob(f"gender_*/{CONFIG}"))
        return sorted(name.removeprefix("gender_") for name in ensembles if not name.endswith("_canary"))

    def ensemble(self, backbone: str) -> Config:
        """What everybody is served. Raises LifecycleError where there is none, or it leaves a version open."""
        if backbone not in self.backbones():
            known = ", ".join(self.backbones()) or "none"
            raise LifecycleError(f"no ensemble gender_{backbone} in {self.folder}; backbones there: {known}")
        return self._ensemble(self.folder / f"gender_{backbone}" / CONFIG)

    def canary(self, backbone: str) -> Config | None:
        """What those are served who ask for the canary, if there is one."""
        file = self.folder / f"gender_{backbone}_canary" / CONFIG
        return self._ensemble(file) if file.is_file() else None

    def before(self, backbone: str) -> Config | None:
        """What everybody was served before the last promotion."""
        file = self.folder / f"gender_{backbone}" / BEFORE
        return self._ensemble(file) if file.is_file() else None

    def ensembles(self) -> list[Config]:
        """All there are, and what was served before; each names the versions that it is made of."""
        files = [*self.folder.glob(f"*/{CONFIG}"), *self.folder.glob(f"*/{BEFORE}")]
        return [config for config in map(self._ensemble, sorted(files)) if config.wiring]

    def model(self, name: str) -> Config:
        return Config.read(self.folder / name / CONFIG)

    def versions(self, model: str) -> list[int]:
        """On disk, whether served or not."""
        folders = (folder for folder in (self.folder / model).iterdir() if folder.name.isdigit())
        return sorted(int(folder.name) for folder in folders if any(folder.iterdir()))

    def wiring(self, backbone: str, version: int) -> Versions:
        """A version on disk with the preprocessing that it was trained with, the newest where there are several.

        Raises:
            LifecycleError: there is no such version, or no such preprocessing.
        """
        digest = self._digest(backbone, version)
        config = self.model(PREPROCESS)
        known = {each: config.parameter(f"{DIGEST}_{each}") for each in self.versions(PREPROCESS)}
        fitting = [each for each, found in known.items() if found == digest]
        if not fitting:
            listed = ", ".join(f"{each}: {found[:12] or 'not declared'}" for each, found in known.items())
            raise LifecycleError(
                f"{backbone}/{version}/model.onnx belongs to preprocessing {digest[:12]}, {self.folder}/{PREPROCESS} "
                f"has others ({listed}); train and publish the model again, or add that preprocessing"
            )
        return {PREPROCESS: max(fitting), backbone: version}

    def check(self, wiring: Versions) -> None:
        """Refuse models that are not on disk or do not belong together.

        Raises:
            LifecycleError: names what does not fit.
        """
        config = self.model(PREPROCESS)
        expected = config.parameter(f"{DIGEST}_{wiring[PREPROCESS]}")
        if wiring[PREPROCESS] not in self.versions(PREPROCESS):
            raise LifecycleError(f"there is no {PREPROCESS} {wiring[PREPROCESS]} in {self.folder}")
        for model in wiring.keys() - {PREPROCESS}:
            if (found := self._digest(model, wiring[model])) != expected:
                raise LifecycleError(
                    f"{model}/{wiring[model]}/model.onnx belongs to preprocessing {found[:12]}, "
                    f"{PREPROCESS} {wiring[PREPROCESS]} is {expected[:12] or 'not declared'}"
                )

    def _ensemble(self, file: Path) -> Config:
        config = Config.read(file)
        for model, version in config.wiring.items():
            if version < 1:
                raise LifecycleError(f"{file} wires the latest {model}; write the model_version that it is to serve")
        return config

    def _digest(self, model: str, version: int) -> str:
        """Of the preprocessing that a version was trained with."""
        file = self.folder / model / str(version) / "model.onnx"
        if not file.is_file():
            there = ", ".join(map(str, self.versions(model))) or "none"
            raise LifecycleError(f"there is no {file}; versions on disk: {there}")
        try:
            metadata = _session(file).get_modelmeta().custom_metadata_map
        except Exception as exc:  # ONNX Runtime's errors share no narrower base
            raise LifecycleError(f"{file} cannot be loaded: {exc}; publish the model again") from exc
        if DIGEST not in metadata:
            raise LifecycleError(f"{file} does not say which preprocessing it belongs to; publish it again")
        return str(metadata[DIGEST])


def _session(file: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def versions_of(ensembles: Iterable[Config]) -> dict[str, set[int]]:
    """The versions of each model that these ensembles are made of."""
    found: dict[str, set[int]] = {}
    for ensemble in ensembles:
        for model, version in ensemble.wiring.items():
            found.setdefault(model, set()).add(version)
    return found
