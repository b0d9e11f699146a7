"""What rounding the weights shifts in each channel's mean is put back into the bias (arXiv 1906.04721, section 4.2).

A depthwise channel of small variance has large weights and an almost constant input, so its rounding error
is a constant too, which every later layer sees as a wrong bias.
"""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_Batch = dict[str, NDArray[Any]]


def correct_biases(model: onnx.ModelProto, batches: Iterable[_Batch], excluded: Collection[str]) -> onnx.ModelProto:
    """Add to each convolution's bias the mean output that int8 weights lose on `batches`.

    Args:
        model: opset 17 or lower, its convolutions with constant weights; left as it is.
        batches: inputs by name; at least one.
        excluded: names of the convolutions that will not be quantized.
    """
    corrected = onnx.ModelProto()
    corrected.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in corrected.graph.initializer}
    convolutions = [n for n in corrected.graph.node if n.op_type == "Conv" and n.name not in excluded]
    if not convolutions:
        return corrected
    for node, lost in zip(convolutions, _mean_losses(model, convolutions, tensors, batches), strict=True):
        bias = lost
        if len(node.input) == 3:
            bias = bias + numpy_helper.to_array(tensors[node.input[2]])
            del node.input[2]
        node.input.append(f"{node.name}/corrected_bias")
        corrected.graph.initializer.append(numpy_helper.from_array(bias.astype(np.float32), node.input[2]))
    _drop_unused(corrected.graph)
    return corrected


def rounding_error(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """`weights`, [out, ...], less what a symmetric s8 grid with one scale per output channel keeps of them."""
    largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1)
    return np.asarray(weights - np.round(weights / scale) * scale, np.float32)


def _mean_losses(
    model: onnx.ModelProto,
    convolutions: list[onnx.NodeProto],
    tensors: dict[str, onnx.TensorProto],
    batches: Iterable[_Batch],
) -> list[NDArray[np.float32]]:
    """Per convolution, [out]: the mean of what it would compute with its weights' rounding errors alone."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    for node in convolutions:
        _watch(probe.graph, node, rounding_error(numpy_helper.to_array(tensors[node.input[1]])))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    answers = [session.run(None, batch) for batch in batches]
    return [np.mean(means, axis=0) for means in zip(*answers, strict=True)]


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _watch(graph: onnx.GraphProto, node: onnx.NodeProto, error: NDArray[np.float32]) -> None:
    weights, output, mean = (f"{node.name}/{part}" for part in ("error", "lost", "mean_lost"))
    graph.initializer.append(numpy_helper.from_array(error, weights))
    twin = helper.make_node("Conv", [node.input[0], weights], [output])
    twin.attribute.extend(node.attribute)
    graph.node.extend([twin, helper.make_node("ReduceMean", [output], [mean], axes=[0, 2, 3], keepdims=0)])
    graph.output.append(helper.make_tensor_value_info(mean, onnx.TensorProto.FLOAT, None))
