"""Screen pictures with a published version of the screener, before they enter a gallery."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from genderprep import PrepMismatch, prep_digest
from genderprep.digest import METADATA_KEY
from genderprep.tensors import IMAGE
from training.arrays import BoolsN, FloatsND, FloatsNHWC, ImagesNSS3
from training.evaluation.cam import class_activation_map

from .export import read_metadata
from .graph import Graph, Tensor
from .quantize import TOWER
from .screener_model import CASCADED, FIRST, SECOND, Limits, probabilities

SCREENER: Final = "screener"
# In the metadata of the ONNX file: the names of attributes, and the limits, as JSON.
ATTRIBUTES_KEY: Final = "attributes"
LIMITS_KEY: Final = "limits"
_BATCH: Final = 32


@dataclass(frozen=True)
class Screening:
    """What is said about one picture.

    Args:
        reasons: The attributes that refuse it, with their probability by the first network.
        heat: Where the first network sees the most probable of them, `[H, W]`: the class activation map, which is H·W
            times Grad-CAM. None without reasons.
    """

    reasons: dict[str, float]
    heat: NDArray[np.floating[Any]] | None = None


class Screener:
    """A version of the screener.

    The second network sees only those pictures that the first one suspects.

    Args:
        file: Its ONNX file.

    Raises:
        FileNotFoundError: The file does not exist.
        PrepMismatch: The screener was trained with another preprocessing.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise FileNotFoundError(f"{file} does not exist; publish it with conversion.publish_screener")
        metadata = read_metadata(file)
        if metadata.get(METADATA_KEY) != prep_digest():
            raise PrepMismatch(f"{file} belongs to another preprocessing; train and publish the screener again")
        self.file = file
        self.attributes: list[str] = json.loads(metadata[ATTRIBUTES_KEY])
        self.limits = Limits(**json.loads(metadata[LIMITS_KEY]))
        self.second_calls = 0

    def screen(self, pixels: ImagesNSS3) -> list[Screening]:
        """Screen pictures, uint8 `[N, S, S, 3]` as `genderprep` prepares them."""
        first, maps = self._first.run(None, {IMAGE: pixels})
        suspected = first[:, self.attributes.index(CASCADED)] >= np.float32(self.limits.first[CASCADED])
        second = np.zeros((len(pixels), 1), np.float32)
        if suspected.any():
            (second[suspected],) = self._second.run(None, {IMAGE: pixels[suspected]})
        self.second_calls += int(suspected.sum())
        refused = self.limits.refused(self.attributes, first, second)
        return [self._screening(*row) for row in zip(refused, first, maps, strict=True)]

    def probabilities(self, pixels: ImagesNSS3) -> tuple[FloatsND, FloatsND]:
        """Return the probabilities of both networks for all pictures, `[N, A]` and `[N, 1]`."""
        batches = [pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)]
        first, second = (
            np.concatenate([session.run(None, {IMAGE: batch})[0] for batch in batches])
            for session in (self._first, self._second)
        )
        return first, second

    def _screening(self, refused: BoolsN, first: FloatsND, maps: FloatsNHWC) -> Screening:
        if not refused.any():
            return Screening({})
        worst = int(np.argmax(np.where(refused, first, -1)))
        heat = class_activation_map(maps.transpose(1, 2, 0)[None], self._head[:, worst])[0]
        reasons = {name: float(first[index]) for index, name in enumerate(self.attributes) if refused[index]}
        return Screening(reasons, np.maximum(heat, 0))

    @cached_property
    def _head(self) -> NDArray[np.float32]:
        """The kernel of the first network's head, `[C, A]`."""
        graph = Graph.of(onnx.load(self.file))
        return graph.constants[graph.source(FIRST).input[1]]

    @cached_property
    def _first(self) -> onnxruntime.InferenceSession:
        """The first network: its probabilities `[B, A]` and its last maps `[B, C, H, W]`."""
        return self._part({probabilities(FIRST): 2, _last_maps(onnx.load(self.file)): 4})

    @cached_property
    def _second(self) -> onnxruntime.InferenceSession:
        return self._part({probabilities(SECOND): 2})

    def _part(self, outputs: dict[Tensor, int]) -> onnxruntime.InferenceSession:
        """Load what these tensors, each with its number of dimensions, need."""
        model = onnx.load(self.file)
        graph = Graph.of(model)
        graph.nodes = graph.leading_to([*outputs])
        values = [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [f"{name}/{axis}" for axis in range(rank)])
            for name, rank in outputs.items()
        ]
        part = graph.model([value for value in model.graph.input if value.name == IMAGE], values)
        return onnxruntime.InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"])


def _last_maps(model: onnx.ModelProto) -> Tensor:
    """Return the maps whose mean the first network's head reads."""
    (mean,) = (
        node
        for node in model.graph.node
        if node.op_type == "GlobalAveragePool" and node.name.startswith(f"{TOWER}first/")
    )
    return str(mean.input[0])
