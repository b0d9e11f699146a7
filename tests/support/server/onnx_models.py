"""Writes model repositories of small ONNX graphs."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

Tensor = tuple[str, int, list[int | str] | None]  # name, ONNX element type, dims
ROWS_OF_3: list[int | str] = ["rows", 3]


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
    """Add a model with one instance to a repository.

    `config` is appended to its config.pbtxt. `sequences` names inputs that are sequences of float tensors.
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


def write_unary(
    repository: Path,
    name: str,
    config: str = "",
    *,
    operator: str = "Neg",
    dims: list[int | str] = ROWS_OF_3,
    version: str = "1",
    filename: str = "model.onnx",
) -> None:
    """Add a model Y = -X, or of another operator. X and Y are FP32 with three columns and any number of rows."""
    write_model(
        repository,
        name,
        [helper.make_node(operator, ["X"], ["Y"])],
        [("X", TensorProto.FLOAT, dims)],
        [("Y", TensorProto.FLOAT, dims)],
        config,
        version=version,
        filename=filename,
    )


def unary_config(**replaced: str) -> str:
    """Return a valid configuration of `write_unary`, with some parts replaced."""
    parts = {
        "batch": "max_batch_size: 8",
        "input": 'input [{ name: "X" data_type: TYPE_FP32 dims: [3] }]',
        "output": 'output [{ name: "Y" data_type: TYPE_FP32 dims: [3] }]',
        "more": "",
    }
    return "\n".join((parts | replaced).values())


def parameter(key: str, value: str) -> str:
    """Return a `parameters` entry of a config.pbtxt."""
    return f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}'
