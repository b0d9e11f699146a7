"""Quantize the image tower of an fp32 model to static int8: QDQ, u8 activations and s8 weights per channel.

VNNI instructions of CPUs multiply u8 by s8. Scales are per channel because the ranges of depthwise channels differ too
much for a single one (arXiv 1806.08342).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import onnx

from training.arrays import Arrays

from .graph import Graph, Tensor
from .quantized_weights import quantize_weights
from .scales import Scale, choose_scales, measure_ranges

TOWER: Final = "image_tower/"
_COMPUTED: Final = ("Conv", "Gemm", "Add", "GlobalAveragePool", "Concat", "MaxPool", "Flatten")
# These move stored levels without a look at their values.
_ON_LEVELS: Final = ("Concat", "MaxPool", "Flatten")
# Tables with more numbers are stored as float16.
_LARGE_TABLE: Final = 2**14
_BATCH: Final = 16


def to_int8(model: onnx.ModelProto, calibration: Arrays) -> onnx.ModelProto:
    """Quantize a model, with activation ranges measured on `calibration`.

    The image tower is computed in 8 bits from the pixels to its features. The text tower, the fusion and the
    calibration stay fp32, because they are small; only their tables are stored as float16.

    Args:
        model: An fp32 model of `to_onnx`.
        calibration: Arrays of a few hundred users.
    """
    signature = list(model.graph.input), list(model.graph.output)
    graph = Graph.of(model)
    _drop_constant_channel(graph)
    reference = graph.model(*signature)
    _drop_rectifiers(graph)
    computed = {node.name for node in graph.nodes if node.name.startswith(TOWER) and node.op_type in _COMPUTED}
    ranges = measure_ranges(reference, _stored(graph, computed), _batches(calibration))
    _rewrite(graph, computed, choose_scales(graph, ranges))
    _halve_tables(graph)
    return graph.model(*signature)


def _drop_constant_channel(graph: Graph) -> None:
    """Let the first convolution read the pixels alone, and add what the constant channel adds to its bias.

    The channel makes padding exactly 0 but costs a tenth of MobileNetV2. Without it, padding is the gray level that
    the pixels are centered on: half a level beside the 0 of MobileNetV2, at most 24 levels beside that of DenseNet121.
    """
    readers = graph.readers()
    for pad in [node for node in graph.nodes if node.op_type == "Pad" and node.name.startswith(TOWER)]:
        (planes,) = readers[pad.output[0]]
        (centered,) = readers[planes.output[0]]
        (first,) = readers[centered.output[0]]
        value = np.array(graph.constants[pad.input[2]], np.float32) - np.array(
            graph.constants[centered.input[2]], np.float32
        )
        weights, bias = (graph.constants[name] for name in first.input[1:])
        graph.constants[first.input[1]] = weights[:, :-1]
        graph.constants[first.input[2]] = bias + value * weights[:, -1].sum(axis=(1, 2))
        planes.input[0] = pad.input[0]
        graph.nodes.remove(pad)


def _drop_rectifiers(graph: Graph) -> None:
    """Remove rectifiers after convolutions: the limits of 8 bits do their work.

    The one of the features becomes a maximum, which ONNX Runtime does not merge into the product before it; merged,
    the product would no longer be recognized as one of int8.
    """
    readers = graph.readers()
    for node in [node for node in graph.nodes if node.op_type in ("Relu", "Clip") and node.name.startswith(TOWER)]:
        source = graph.source(node.input[0])
        if source.op_type == "Conv" and len(readers[node.input[0]]) == 1:
            source.output[0] = node.output[0]
            graph.nodes.remove(node)
        elif source.op_type == "Gemm":
            node.op_type = "Max"
            graph.constants[f"{node.name}/zero"] = np.array(0, np.float32)
            node.input.append(f"{node.name}/zero")


def _stored(graph: Graph, computed: set[str]) -> list[Tensor]:
    """Return the tensors that are stored in 8 bits: what is computed in 8 bits, and what that reads."""
    tensors = dict.fromkeys(
        name for node in graph.nodes if node.name in computed for name in [*node.input, *node.output]
    )
    return [name for name in tensors if name not in graph.constants and graph.source(name).op_type != "Gemm"]


def _rewrite(graph: Graph, computed: set[str], scales: dict[Tensor, Scale]) -> None:
    readers = graph.readers()
    nodes, graph.nodes = graph.nodes, []
    for node in nodes:
        on_levels = node.name in computed and node.op_type in _ON_LEVELS
        if on_levels:
            node.input[:] = [_levels(name) for name in node.input]
        elif node.name in computed and node.op_type in ("Conv", "Gemm"):
            quantize_weights(graph, node, scales[node.input[0]], scales.get(node.output[0]))
        graph.nodes.append(node)
        name = node.output[0]
        if name in scales and node.op_type != "DequantizeLinear":
            decoded = not all(each.name in computed and each.op_type in _ON_LEVELS for each in readers[name])
            _store(graph, node, scales[name], on_levels, decoded)


def _store(graph: Graph, node: onnx.NodeProto, scale: Scale, on_levels: bool, decoded: bool) -> None:
    """Store the output of a node in 8 bits, and decode it for those who read values."""
    name = node.output[0]
    step, zero = f"{name}/step", f"{name}/zero"
    graph.constants |= {step: np.array(scale.step, np.float32), zero: np.array(scale.zero, np.uint8)}
    node.name = f"{node.name}/{node.op_type}"
    if on_levels:
        node.output[0] = _levels(name)
    else:
        node.output[0] = f"{name}/exact"
        graph.add("QuantizeLinear", node.output[0], step, zero, name=_levels(name))
    if decoded:
        graph.add("DequantizeLinear", _levels(name), step, zero, name=name)


def _halve_tables(graph: Graph) -> None:
    nodes, graph.nodes = graph.nodes, []
    for node in nodes:
        graph.nodes.append(node)
        table = graph.constants.get(node.input[0]) if node.op_type == "Gather" else None
        if table is not None and table.size >= _LARGE_TABLE:
            name, node.output[0] = node.output[0], f"{node.output[0]}/half"
            node.name = node.output[0]
            graph.constants[node.input[0]] = table.astype(np.float16)
            graph.add("Cast", node.output[0], name=name, to=onnx.TensorProto.FLOAT)


def _levels(name: Tensor) -> Tensor:
    return f"{name}/levels"


def _batches(inputs: Arrays) -> Iterator[Arrays]:
    rows = len(next(iter(inputs.values())))
    for start in range(0, rows, _BATCH):
        yield {name: array[start : start + _BATCH] for name, array in inputs.items()}
