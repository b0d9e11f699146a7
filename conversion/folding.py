"""Merge linear operations into the convolutions beside them, exactly."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper

from .errors import ConversionError
from .graph import Graph


def fold(graph: Graph) -> None:
    """Merge padding, batch normalization and the normalization of pixels into convolutions, and average early.

    - A `Pad` becomes the padding of the convolution, or of the maximum of rectified values, that reads it.
    - A 1×1 convolution without bias merges into the convolution after it: it maps the zeros of padding to zeros.
    - A depthwise 1×1 convolution merges into the convolution before it.
    - The mean of neighboring pixels moves before a 1×1 convolution, which then has fewer pixels to compute.
    - The mean of neighboring pixels of the input merges into the convolution after it, whose kernel and stride grow.
    """
    sources = {node.output[0]: node for node in graph.nodes}
    readers = Counter(name for node in graph.nodes for name in node.input)

    def only_source(node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Return the node whose output only this node reads."""
        return sources.get(node.input[0]) if readers[node.input[0]] == 1 else None

    for node in list(graph.nodes):
        before = only_source(node)
        if before is not None and before.op_type == "Pad" and _takes_padding(node, sources.get(before.input[0])):
            _set(node, "pads", _spatial_pads(graph, before))
            node.input[0] = before.input[0]
            graph.nodes.remove(before)
            before = only_source(node)
        if before is None or not before.op_type == node.op_type == "Conv":
            continue
        if _is_pointwise(graph, before, group=1) and _is_mean(graph, node):
            _swap(graph, before, node)
            sources |= {node.output[0]: node, before.output[0]: before}
        elif len(before.input) == 2 and _is_pointwise(graph, before, group=1) and attribute(node, "group", 1) == 1:
            _merge_into_next(graph, before, node)
            if (mean := only_source(node)) is not None and _is_mean_of_pixels(graph, mean, sources):
                _merge_mean_into_next(graph, mean, node)
        elif _is_pointwise(graph, node, group=len(graph.constants[node.input[1]])):
            _merge_into_previous(graph, before, node)
            sources[node.output[0]] = before


def _takes_padding(node: onnx.NodeProto, source: onnx.NodeProto | None) -> bool:
    """Whether padding with zeros equals the padding of this node. A maximum is padded with the smallest value.

    Raises:
        ConversionError: It is the maximum of values that may be negative. ONNX Runtime merges the two all the same.
    """
    if node.op_type == "MaxPool" and (source is None or source.op_type != "Relu"):
        raise ConversionError(f"expected rectified values where a maximum is padded, got others in {node.name}")
    return node.op_type in ("Conv", "MaxPool")


def _spatial_pads(graph: Graph, pad: onnx.NodeProto) -> list[int]:
    _, _, top, left, _, _, bottom, right = graph.constants[pad.input[1]].tolist()
    return [top, left, bottom, right]


def _is_pointwise(graph: Graph, conv: onnx.NodeProto, group: int) -> bool:
    plain = not any(attribute(conv, "pads", [])) and set(attribute(conv, "strides", [1])) == {1}
    return plain and graph.constants[conv.input[1]].shape[2:] == (1, 1) and attribute(conv, "group", 1) == group


def _is_mean(graph: Graph, conv: onnx.NodeProto) -> bool:
    return len(conv.input) == 2 and np.ptp(graph.constants[conv.input[1]]) == 0


def _is_mean_of_pixels(graph: Graph, node: onnx.NodeProto, sources: Mapping[str, onnx.NodeProto]) -> bool:
    return node.op_type == "Conv" and _is_mean(graph, node) and sources[node.input[0]].op_type == "DequantizeLinear"


def _merge_mean_into_next(graph: Graph, mean: onnx.NodeProto, node: onnx.NodeProto) -> None:
    """Let a convolution read the pixels whose means it read: a tap becomes a block of taps."""
    block: int = attribute(mean, "strides", [1])[0]
    graph.constants[node.input[1]] = np.kron(
        graph.constants[node.input[1]], np.full((1, 1, block, block), block**-2, np.float32)
    )
    for name in ("strides", "pads"):
        _set(node, name, [block * each for each in attribute(node, name, [])])
    node.input[0] = mean.input[0]
    graph.nodes.remove(mean)


def _swap(graph: Graph, before: onnx.NodeProto, node: onnx.NodeProto) -> None:
    """Let the mean of pixels run first, on the channels that the pointwise convolution reads."""
    channels = graph.constants[before.input[1]].shape[1]
    graph.constants[node.input[1]] = np.resize(
        graph.constants[node.input[1]], (channels, 1, *graph.constants[node.input[1]].shape[2:])
    )
    _set(node, "group", channels)
    x, middle, y = before.input[0], before.output[0], node.output[0]
    node.input[0], node.output[0], before.input[0], before.output[0] = x, middle, middle, y
    first, second = graph.nodes.index(before), graph.nodes.index(node)
    graph.nodes[first], graph.nodes[second] = node, before


def _merge_into_next(graph: Graph, before: onnx.NodeProto, node: onnx.NodeProto) -> None:
    inner, outer = graph.constants[before.input[1]][..., 0, 0], graph.constants[node.input[1]]
    graph.constants[node.input[1]] = np.einsum("oihw,ij->ojhw", outer, inner)
    node.input[0] = before.input[0]
    graph.nodes.remove(before)


def _merge_into_previous(graph: Graph, before: onnx.NodeProto, node: onnx.NodeProto) -> None:
    weights, scale = graph.constants[before.input[1]], graph.constants[node.input[1]]
    bias = graph.constants[before.input[2]] * scale[:, 0, 0, 0] if len(before.input) == 3 else 0
    graph.constants[before.input[1]] = weights * scale
    graph.constants[node.input[2]] = graph.constants[node.input[2]] + np.float32(bias)
    before.input[2:] = [node.input[2]]
    before.output[0] = node.output[0]
    graph.nodes.remove(node)


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Return the value of a node's attribute."""
    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)


def _set(node: onnx.NodeProto, name: str, value: Any) -> None:
    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
