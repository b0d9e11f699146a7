"""Convert a Keras model to ONNX, layer by layer, under the tensor names of `genderprep`."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import helper, numpy_helper

# The imports register the functions that write layers.
from . import encoder_layers as encoder_layers
from . import fusion_layers, text_layers
from . import image_layers as image_layers
from .errors import ConversionError
from .folding import fold
from .graph import Graph, Tensor
from .writers import writer_of


def to_onnx(model: keras.Model) -> onnx.ModelProto:
    """Convert a serving model, of `training.gender.model` or of `encoder_model`.

    Input and output names are kept, and the batch dimension is dynamic. Keras may run on any backend.

    Raises:
        ConversionError: The model has a layer without an ONNX form.
    """
    graph = Graph()
    outputs = _write(graph, model, "", {name: name for name in model.input})
    for name, tensor in outputs.items():
        graph.rename(tensor, name)
    fold(graph)
    return graph.model(
        [_value(name, tensor) for name, tensor in model.input.items()],
        [_value(name, tensor) for name, tensor in model.output.items()],
    )


def set_calibration(model: onnx.ModelProto, lines: ArrayLike) -> None:
    """Replace slope and offset of each presence pattern, `[4, 2]`, of a converted serving model.

    Args:
        model: A model of `to_onnx` or `to_int8`.
        lines: As in `training.layers.Calibration`, by 2 · avatar + nickname.

    Raises:
        ConversionError: The model has no calibration.
    """
    values = np.asarray(lines, np.float32)
    stored = next((each for each in model.graph.initializer if each.name == fusion_layers.CALIBRATION), None)
    if stored is None or tuple(stored.dims) != values.shape:
        raise ConversionError(f"expected a model with a calibration of shape {values.shape}, got none")
    stored.CopyFrom(numpy_helper.from_array(values, stored.name))


def stamp(model: onnx.ModelProto, metadata: dict[str, str]) -> None:
    """Add metadata to a model; an entry replaces one of the same name."""
    present = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**present, **metadata})


def read_metadata(file: Path) -> dict[str, str]:
    """Read the metadata of an ONNX file."""
    return {entry.key: entry.value for entry in onnx.load(file, load_external_data=False).metadata_props}


def _write(graph: Graph, model: keras.Model, scope: str, inputs: Any) -> Any:
    """Write the layers of a model, and of the models in it; return its outputs in their structure."""

    def writer(layer: Any) -> Any:
        name = scope + layer.name
        if not isinstance(layer, keras.Model):
            return lambda *inputs, **_: writer_of(layer)(graph, layer, name, *inputs)
        return lambda tensor, **_: _write(graph, layer, f"{name}/", [_prepared(graph, layer, name, tensor)])

    functional = model._functional if isinstance(model, keras.Sequential) else model
    return functional._run_through_graph(inputs, operation_fn=writer)


def _prepared(graph: Graph, model: keras.Model, name: str, tensor: Tensor) -> Tensor:
    """Cut the tokens of a text tower that ignores padding."""
    layers = {type(layer) for layer in model.layers}
    if keras.layers.Embedding not in layers or keras.layers.GlobalAveragePooling1D in layers:
        return tensor
    widths = [layer.kernel_size[0] for layer in model.layers if isinstance(layer, keras.layers.Conv1D)]
    return text_layers.cut(graph, name, tensor, margin=sum(width // 2 for width in widths))


def _value(name: Tensor, tensor: Any) -> onnx.ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    return helper.make_tensor_value_info(name, element, ["batch", *tensor.shape[1:]])
