"""The registry of functions that write a Keras layer as ONNX nodes."""

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from .errors import ConversionError
from .graph import Graph, Tensor

# Graph, layer, the name of its output, its inputs → its outputs.
Writer = Callable[..., Any]
WRITERS: Final[dict[type, Writer]] = {}
# The score of an input that is missing, before a softmax.
MASKED_SCORE: Final = np.array(-1e9, np.float32)


def writes(*layers: type) -> Callable[[Writer], Writer]:
    """Register the function that writes these types of layers."""

    def register(writer: Writer) -> Writer:
        WRITERS.update(dict.fromkeys(layers, writer))
        return writer

    return register


def writer_of(layer: Any) -> Writer:
    """Return the function that writes a layer.

    Raises:
        ConversionError: No function writes layers of its type.
    """
    if type(layer) not in WRITERS:
        raise ConversionError(
            f"no ONNX form of layer {layer.name}, a {type(layer).__name__}; write one with @writes in conversion"
        )
    return WRITERS[type(layer)]


def values(variable: Any) -> NDArray[np.float32]:
    """Return the values of a Keras variable."""
    return np.asarray(ops.convert_to_numpy(variable), np.float32)


def activated(graph: Graph, activation: Callable[..., Any], name: str, x: Tensor) -> Tensor:
    """Apply an activation function of Keras.

    Raises:
        ConversionError: The function is neither linear nor ReLU.
    """
    if activation is keras.activations.linear:
        return x
    if activation is not keras.activations.relu:
        raise ConversionError(f"expected a linear or relu activation, got {activation.__name__} in {name}")
    return graph.add("Relu", x, name=name)
