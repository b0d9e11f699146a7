"""Store the weights and the bias of a convolution or of a matrix product in 8 and in 32 bits."""

from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from .folding import attribute
from .graph import Graph
from .scales import Channels, Scale

_LARGEST_WEIGHT: Final = 127
# Leaves room in 32 bits for the products that are added to the bias.
_LARGEST_BIAS: Final = 2**30
_SMALLEST_STEP: Final = 1e-12


def quantize_weights(graph: Graph, node: onnx.NodeProto, x: Scale, y: Scale | None) -> None:
    """Replace the weights and the bias of a node by stored ones, decoded.

    The weights take in the gains and offsets of the node's input and output, so that steps without channels remain.
    The bias takes in the mean of what rounding the weights loses (Nagel et al., 2019, arXiv 1906.04721, section 4.2).

    Args:
        graph: The graph, which ends before the node.
        node: A Conv or a Gemm.
        x: The scale of its input.
        y: The scale of its output; None if that is stored as float.
    """
    is_product = node.op_type == "Gemm"
    weights = graph.constants[node.input[1]].T if is_product else graph.constants[node.input[1]]
    bias = graph.constants[node.input[2]] if len(node.input) == 3 else np.zeros(len(weights), np.float32)
    # Weights are [out, in / groups, …]; a depthwise convolution has one input channel for each output.
    axes = tuple(range(1, weights.ndim))
    inputs = (len(weights), 1) if attribute(node, "group", 1) > 1 else (1, -1)

    def per_input(values: Channels) -> NDArray[np.float32]:
        return values.reshape(*inputs, *(1,) * (weights.ndim - 2))

    def per_output(values: Channels) -> NDArray[np.float32]:
        return values.reshape(-1, *(1,) * len(axes))

    bias = bias + (weights * per_input(x.offset)).sum(axis=axes)
    weights = weights * per_input(x.gain)
    if y is not None:
        weights, bias = weights / per_output(y.gain), (bias - y.offset) / y.gain
    step = np.maximum(np.abs(weights).max(axis=axes) / _LARGEST_WEIGHT, np.abs(bias) / (x.step * _LARGEST_BIAS))
    step = np.maximum(step, _SMALLEST_STEP).astype(np.float32)
    levels = np.rint(weights / per_output(step)).astype(np.int8)
    bias = bias + ((weights - levels * per_output(step)) * per_input(x.mean)).sum(axis=axes)
    bias_step = np.float32(x.step) * step
    stored = np.ascontiguousarray(levels.T) if is_product else levels
    stored_bias = np.rint(bias / bias_step).astype(np.int32)
    # ONNX Runtime recognizes an int8 product only if the zero point of its weights is stated.
    zero = np.zeros(len(weights), np.int8)
    node.input[1:] = [
        graph.add("DequantizeLinear", stored, step, zero, name=f"{node.name}/weights", axis=int(is_product)),
        graph.add("DequantizeLinear", stored_bias, bias_step, name=f"{node.name}/bias", axis=0),
    ]
