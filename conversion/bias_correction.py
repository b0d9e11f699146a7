"""Bias correction for quantized convolutions (Nagel et al., 2019, arXiv 1906.04721, section 4.2).

Rounding the weights shifts the mean output of each channel. In a depthwise channel of small variance the weights are
large and the input is nearly constant, so the shift is nearly constant too. Adding it to the bias removes it.
"""

from collections.abc import Collection, Iterable

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from training.arrays import Arrays

# [out, in / groups, kernel height, kernel width].
Kernel = NDArray[np.float32]
# [out].
Channels = NDArray[np.float32]


def correct_biases(model: onnx.ModelProto, batches: Iterable[Arrays], excluded: Collection[str]) -> onnx.ModelProto:
    """Return a copy whose convolutions have the mean output that int8 weights lose added to their bias.

    Args:
        model: An fp32 model with an opset of at most 17 and constant convolution weights.
        batches: Calibration inputs; at least one batch.
        excluded: Names of convolutions that will not be quantized.
    """
    corrected = onnx.ModelProto()
    corrected.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in corrected.graph.initializer}
    convolutions = [n for n in corrected.graph.node if n.op_type == "Conv" and n.name not in excluded]
    if not convolutions:
        return corrected
    errors = {node.name: rounding_error(numpy_helper.to_array(tensors[node.input[1]])) for node in convolutions}
    for node, bias in zip(convolutions, _mean_outputs(model, convolutions, errors, batches), strict=True):
        if len(node.input) == 3:
            bias = bias + numpy_helper.to_array(tensors[node.input[2]])
            del node.input[2]
        node.input.append(f"{node.name}/corrected_bias")
        corrected.graph.initializer.append(numpy_helper.from_array(bias.astype(np.float32), node.input[2]))
    _drop_unused(corrected.graph)
    return corrected


def rounding_error(weights: Kernel) -> Kernel:
    """Return the part of the weights that a symmetric s8 grid with one scale per output channel loses."""
    largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1)
    return np.asarray(weights - np.round(weights / scale) * scale, np.float32)


def _mean_outputs(
    model: onnx.ModelProto, convolutions: list[onnx.NodeProto], kernels: dict[str, Kernel], batches: Iterable[Arrays]
) -> list[Channels]:
    """Run the model and return, per convolution, the mean output that `kernels` have in place of its weights."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    for node in convolutions:
        _add_probe(probe.graph, node, kernels[node.name])
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = [session.run(None, batch) for batch in batches]
    return [np.mean(means, axis=0) for means in zip(*outputs, strict=True)]


def _add_probe(graph: onnx.GraphProto, node: onnx.NodeProto, kernel: Kernel) -> None:
    """Add a twin of a convolution with another kernel, and its channel means as an output of the graph."""
    weights, output, mean = (f"{node.name}/{part}" for part in ("error", "lost", "mean_lost"))
    graph.initializer.append(numpy_helper.from_array(kernel, weights))
    twin = helper.make_node("Conv", [node.input[0], weights], [output])
    twin.attribute.extend(node.attribute)
    graph.node.extend([twin, helper.make_node("ReduceMean", [output], [mean], axes=[0, 2, 3], keepdims=0)])
    graph.output.append(helper.make_tensor_value_info(mean, onnx.TensorProto.FLOAT, None))


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
