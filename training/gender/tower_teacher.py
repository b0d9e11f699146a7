"""The teacher of an image tower: a trained tower, which sees the same augmented pictures (arXiv 2106.05237).

It may be a run of `training.gender.pretrain`, or a published tower as ONNX, such as
`explain_repository/gradcam_densenet/*/model.onnx`: int8, so that it takes a fraction of the student's time on a CPU.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from keras import ops
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidProtobuf
from scipy.special import expit

from genderprep.tensors import IMAGE, PRESENT

from ..arrays import FloatsN1, ImagesNSS3, TensorBSS3
from ..engine.errors import ConfigError
from ..report import read_run
from .model import AVATAR_ONLY, build_avatar_model, load_model

# Output of the ONNX towers of `conversion.gradcam`.
LOGIT: Final = "LOGIT"
_ONNX: Final = ".onnx"
# Pictures that the ONNX tower sees at once: their activations stay in the cache.
_CHUNK: Final = 32

Logits = Callable[[ImagesNSS3], FloatsN1]


class TowerTeacher:
    """P(female) of a trained tower for a batch: the logits of a picture and its mirror image, averaged."""

    def __init__(self, tower: Path, size: int) -> None:
        """Load a tower for images of S × S = `size` × `size` pixels.

        Raises:
            FileNotFoundError: The run or the file does not exist.
            ConfigError: The ONNX file has no logit of an image tower, or is for another size.
        """
        self._logits = _onnx_tower(tower, size) if tower.suffix == _ONNX else _run_tower(tower, size)

    def __call__(self, images: TensorBSS3) -> FloatsN1:
        """Return P(female) [B, 1] for images, uint8 [B, S, S, 3]."""
        pixels = ops.convert_to_numpy(images)
        mirrored = np.ascontiguousarray(pixels[:, :, ::-1])
        p_female: FloatsN1 = expit((self._logits(pixels) + self._logits(mirrored)) / 2)
        return p_female


def teacher_name(tower: Path) -> str:
    """Return the backbone of a run, or the path of an ONNX file from its model's folder."""
    return "/".join(tower.parts[-3:]) if tower.suffix == _ONNX else str(read_run(tower)["backbone"])


def _run_tower(run: Path, size: int) -> Logits:
    # A new model computes in the precision of this run; a loaded one would keep its own.
    model = build_avatar_model(read_run(run)["backbone"], size)
    model.set_weights(load_model(run / "model.keras").get_weights())

    def logits(images: ImagesNSS3) -> FloatsN1:
        predicted = ops.cast(model.predict_on_batch({IMAGE: images})[AVATAR_ONLY], "float32")
        values: FloatsN1 = ops.convert_to_numpy(predicted)
        return values

    return logits


def _onnx_tower(file: Path, size: int) -> Logits:
    if not file.is_file():
        raise FileNotFoundError(f"no teacher {file}; expected a run or an ONNX file of `conversion.gradcam`")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    try:
        session = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    except InvalidProtobuf as exc:
        raise ConfigError(f"{file} is no ONNX file; expected one of `conversion.gradcam`") from exc
    shapes = {each.name: each.shape for each in session.get_inputs()}
    if {*shapes} != {IMAGE, PRESENT} or LOGIT not in {each.name for each in session.get_outputs()}:
        raise ConfigError(f"{file}: expected the inputs {IMAGE} and {PRESENT} and the output {LOGIT}")
    if shapes[IMAGE][1] != size:
        raise ConfigError(f"{file}: expected a tower for {size} pixels, got {shapes[IMAGE][1]}")

    def logits(images: ImagesNSS3) -> FloatsN1:
        chunks = [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
        inputs = [{IMAGE: chunk, PRESENT: np.ones((len(chunk), 2), np.bool_)} for chunk in chunks]
        return np.concatenate([session.run([LOGIT], each)[0] for each in inputs])

    return logits
