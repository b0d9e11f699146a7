"""Convert Keras to ONNX with tf2onnx, under the tensor names of `genderprep`."""

import os
import re
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import onnx
import tensorflow as tf
import tf2onnx

# Triton containers since 2023 load these.
OPSET: Final = 17
IR_VERSION: Final = 8

# Keras prefixes every node name with these scopes. One model has one trunk, so names stay unique without them.
_SCOPE: Final = re.compile(r"^functional(_\d+)?/(image_tower(_\d+)?/trunk(_\d+)?/)?")


def to_onnx(model: keras.Model) -> onnx.ModelProto:
    """Convert a serving model (`training.gender.model.serving_model`).

    Input and output names are kept, and the batch dimension is dynamic.
    """
    signature = [
        tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=name) for name, tensor in model.input.items()
    ]
    names = list(model.input)

    def serve(*tensors: Any) -> dict[str, Any]:
        return dict(model(dict(zip(names, tensors, strict=True)), training=False))

    converted: onnx.ModelProto
    converted, _ = tf2onnx.convert.from_function(tf.function(serve), input_signature=signature, opset=OPSET)
    _rename(converted.graph, sorted(model.output))
    converted.ir_version = IR_VERSION
    onnx.checker.check_model(converted, full_check=True)
    return converted


def stamp(model: onnx.ModelProto, metadata: dict[str, str]) -> None:
    """Add metadata to a model; an entry replaces one of the same name."""
    present = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**present, **metadata})


def read_metadata(file: Path) -> dict[str, str]:
    """Read the metadata of an ONNX file."""
    return {entry.key: entry.value for entry in onnx.load(file, load_external_data=False).metadata_props}


def _rename(graph: onnx.GraphProto, outputs: list[str]) -> None:
    """Rename the outputs, which TensorFlow flattens in the order of their keys, and shorten all other names."""
    contract = {output.name: name for output, name in zip(graph.output, outputs, strict=True)}

    def renamed(name: str) -> str:
        return contract.get(name) or _SCOPE.sub("", name)

    for output in graph.output:
        output.name = renamed(output.name)
    for initializer in graph.initializer:
        initializer.name = renamed(initializer.name)
    for node in graph.node:
        node.name = renamed(node.name)
        node.input[:] = map(renamed, node.input)
        node.output[:] = map(renamed, node.output)
    del graph.value_info[:]
