"""Model repositories of small ONNX graphs."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

Tensor = tuple[str, int, list[int | str] | None]  # name, ONNX element type, dims


def write_model(
    repository: Path,
    name: str,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    config: str = "",
    *,
    initializers: Sequence[onnx.TensorProto] = (),
    version: str = "1",
    filename: str = "model.onnx",
    sequences: Sequence[str] = (),
) -> None:
    """Add a model with one instance to a repository; `config` is the rest of its config.pbtxt.

    `sequences` names inputs that are no tensors but sequences of float tensors.
    """
    folder = repository / name / version
    folder.mkdir(parents=True)
    graph = helper.make_graph(
        nodes,
        name,
        [
            *(helper.make_tensor_value_info(*tensor) for tensor in inputs),
            *(helper.make_tensor_sequence_value_info(name, TensorProto.FLOAT, None) for name in sequences),
        ],
        [helper.make_tensor_value_info(*tensor) for tensor in outputs],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / filename)
    (repository / name / "config.pbtxt").write_text(
        f'platform: "onnxruntime_onnx"\ninstance_group [{{ count: 1 kind: KIND_CPU }}]\n{config}'
    )


def write_negation(
    repository: Path, name: str, config: str = "", *, version: str = "1", filename: str = "model.onnx"
) -> None:
    """Y = -X, float32, three columns and any number of rows."""
    write_model(
        repository,
        name,
        [helper.make_node("Neg", ["X"], ["Y"])],
        [("X", TensorProto.FLOAT, ["rows", 3])],
        [("Y", TensorProto.FLOAT, ["rows", 3])],
        config,
        version=version,
        filename=filename,
    )


def negation_config(**replaced: str) -> str:
    """A correct configuration of `write_negation`, or one with some parts replaced."""
    parts = {
        "batch": "max_batch_size: 8",
        "input": 'input [{ name: "X" data_type: TYPE_FP32 dims: [3] }]',
        "output": 'output [{ name: "Y" data_type: TYPE_FP32 dims: [3] }]',
        "more": "",
    }
    return "\n".join((parts | replaced).values())


def parameter(key: str, value: str) -> str:
    """A `parameters` entry of a config.pbtxt."""
    return f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}'
