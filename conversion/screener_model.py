"""The screener as Triton serves it: pixels in, what a picture has and whether it may be shown out.

Both networks of the cascade are one graph, because an ensemble cannot skip a step. `screening.py`, which screens many
pictures at once, asks the second network only about those that the first one suspects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from genderprep.tensors import IMAGE, IMAGE_SIZE, PRESENT
from training.arrays import BoolsNK, FloatsND

from .graph import Graph, Tensor

# Outputs: probabilities [A] of the first network; both networks' probabilities [2] of the cascaded attribute; which
# attributes [A] refuse the picture; whether none does, and there is a picture [1].
ATTRIBUTES: Final = "ATTRIBUTES"
SCORES: Final = "SCORES"
REFUSED: Final = "REFUSED"
SUITABLE: Final = "SUITABLE"
# The attribute that both networks must find.
CASCADED: Final = "unsuitable"
# Logits of both networks, in the graph without a verdict.
FIRST: Final = "FIRST"
SECOND: Final = "SECOND"
# Above every probability, and below.
NEVER: Final = 2.0
ALWAYS: Final = -1.0


@dataclass(frozen=True)
class Limits:
    """The lowest probability at which a network finds an attribute.

    Args:
        first: Of the first network, by refusing attribute. All other attributes only describe a picture.
        second: Of the second network, for `CASCADED`.
    """

    first: dict[str, float]
    second: float

    def table(self, attributes: Sequence[str]) -> NDArray[np.float32]:
        """Return the limits of both networks for each attribute, `[2, A]`."""
        first = [self.first.get(name, NEVER) for name in attributes]
        second = [self.second if name == CASCADED else ALWAYS for name in attributes]
        return np.array([first, second], np.float32)

    def refused(self, attributes: Sequence[str], first: FloatsND, second: FloatsND) -> BoolsNK:
        """Return which attributes refuse pictures, `[N, A]`, from the probabilities `[N, A]` and `[N, 1]`."""
        lowest = self.table(attributes)
        refused: BoolsNK = (first >= lowest[0]) & (second >= lowest[1])
        return refused


def serving_model(first: keras.Model, second: keras.Model) -> keras.Model:
    """Build the model from `IMAGE` to the logits `FIRST` `[A]` and `SECOND` `[1]`.

    Args:
        first: A network of `training.curation` for all attributes.
        second: One for `CASCADED` alone.
    """
    networks = {"first": first, "second": second}
    pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="uint8", name="pixels")
    features = [_features(network, pixels, name) for name, network in networks.items()]
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="uint8", name=IMAGE)
    logits = [
        _head(network, name)(x)
        for (name, network), x in zip(
            networks.items(), keras.Model(pixels, features, name="image_tower")(image), strict=True
        )
    ]
    return keras.Model({IMAGE: image}, dict(zip((FIRST, SECOND), logits, strict=True)), name="screener")


def with_verdict(model: onnx.ModelProto, attributes: Sequence[str], limits: Limits) -> onnx.ModelProto:
    """Add the verdict to a graph with logits: from `IMAGE` and `PRESENT` to the outputs that are served.

    A missing picture has zeros and is not suitable; no attribute refuses it.

    Args:
        model: A model of `to_onnx` or `to_int8`.
        attributes: The names of the first network's logits.
        limits: When an attribute refuses a picture.
    """
    graph = Graph.of(model)
    present, _ = graph.split(PRESENT, 2, "verdict/present")
    shown = graph.as_float(present, "verdict/shown")
    for logits, name in ((FIRST, ATTRIBUTES), (SECOND, "verdict/second")):
        graph.add("Mul", graph.add("Sigmoid", logits, name=probabilities(logits)), shown, name=name)
    second = "verdict/second"
    cascaded = np.array([attributes.index(CASCADED)], np.int64)
    graph.add(
        "Concat", graph.add("Gather", ATTRIBUTES, cascaded, name="verdict/first", axis=1), second, name=SCORES, axis=1
    )
    lowest = limits.table(attributes)
    by_first = graph.add("GreaterOrEqual", ATTRIBUTES, lowest[:1], name="verdict/by_first")
    by_second = graph.add("GreaterOrEqual", second, lowest[1:], name="verdict/by_second")
    found = graph.add("And", by_first, by_second, name="verdict/found")
    graph.add("And", found, present, name=REFUSED)
    worst = graph.add("ReduceMax", graph.as_float(REFUSED, "verdict/refused"), name="verdict/worst", axes=[1])
    spotless = graph.add("Less", worst, np.array(0.5, np.float32), name="verdict/spotless")
    graph.add("And", spotless, present, name=SUITABLE)
    kinds = {
        ATTRIBUTES: (onnx.TensorProto.FLOAT, len(attributes)),
        SCORES: (onnx.TensorProto.FLOAT, 2),
        REFUSED: (onnx.TensorProto.BOOL, len(attributes)),
        SUITABLE: (onnx.TensorProto.BOOL, 1),
    }
    inputs = [*model.graph.input, helper.make_tensor_value_info(PRESENT, onnx.TensorProto.BOOL, ["batch", 2])]
    return graph.model(
        inputs, [helper.make_tensor_value_info(name, kind, ["batch", size]) for name, (kind, size) in kinds.items()]
    )


def probabilities(logits: Tensor) -> Tensor:
    """Return the name of a network's probabilities, whether there is a picture or not."""
    return f"{logits}/probabilities"


def _features(network: keras.Model, pixels: Any, name: str) -> Any:
    """Return the mean `[B, C]` of the network's last maps; it reads means of blocks of pixels."""
    scale = keras.layers.Rescaling(network.layers[1].scale, network.layers[1].offset, name=f"{name}_rescaling")
    block_means = keras.layers.AveragePooling2D(IMAGE_SIZE // network.input.shape[1], name=f"{name}_block_means")
    tower = keras.Model(network.layers[1].output, network.get_layer("pooled").output, name=name)
    return tower(block_means(scale(pixels)))


def _head(network: keras.Model, name: str) -> keras.layers.Dense:
    """Return a copy of the network's head, named after the network."""
    kernel, bias = network.get_layer("logits").get_weights()
    head = keras.layers.Dense(len(bias), name=f"{name}_logits")
    head.build((None, len(kernel)))
    head.set_weights([kernel, bias])
    return head
