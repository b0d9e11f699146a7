"""Write the Keras layers of the image trunks as ONNX nodes. Feature maps are `[B, C, H, W]`."""

from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from training.layers import CBAM

from .errors import ConversionError
from .graph import Graph, Tensor
from .writers import activated, values, writes

# The gray level that stands for 0 in the first convolution, so that its padding is as exact as in Keras.
PADDING_LEVEL: Final = 128
_ONES: Final = 255


@writes(keras.layers.Rescaling)
def rescaling(graph: Graph, layer: Any, name: str, pixels: Tensor) -> Tensor:
    """Write the normalization of uint8 pixels `[B, H, W, 3]` as a 1×1 convolution without bias.

    The offset is the weight of a fourth channel of constants. Without a bias, a pixel of zeros stays zero, so a padded
    convolution that follows can absorb this one exactly: padding then means the normalized 0, as in Keras.
    """
    scale, offset = (np.broadcast_to(np.array(each, np.float32), 3) for each in (layer.scale, layer.offset))
    one_channel, ones, level = np.array([0] * 7 + [1]), np.array(_ONES, np.uint8), np.array(PADDING_LEVEL, np.uint8)
    four = graph.add("Pad", pixels, one_channel, ones, name=f"{name}/pad")
    planes = graph.add("Transpose", four, name=f"{name}/planes", perm=[0, 3, 1, 2])
    centered = graph.add("DequantizeLinear", planes, np.array(1, np.float32), level, name=f"{name}/centered")
    constants = (offset + scale * PADDING_LEVEL) / (_ONES - PADDING_LEVEL)
    weights = np.concatenate([np.diag(scale), constants[:, None]], axis=1)
    return graph.add("Conv", centered, weights[..., None, None].astype(np.float32), name=name)


@writes(keras.layers.Conv2D)
def convolution(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    return _convolution(graph, layer, name, x, layer.kernel, (3, 2, 0, 1), group=1)


@writes(keras.layers.DepthwiseConv2D)
def depthwise(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    if layer.depth_multiplier != 1:
        raise ConversionError(f"expected a depth multiplier of 1, got {layer.depth_multiplier} in {name}")
    return _convolution(graph, layer, name, x, layer.kernel, (2, 3, 0, 1), group=layer.kernel.shape[2])


@writes(keras.layers.BatchNormalization)
def batch_norm(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    """Write the normalization as a depthwise 1×1 convolution, which `folding` merges with the one before it."""
    gamma, beta = (
        values(each) if each is not None else default for each, default in ((layer.gamma, 1), (layer.beta, 0))
    )
    scale = gamma / np.sqrt(values(layer.moving_variance) + layer.epsilon)
    bias = beta - values(layer.moving_mean) * scale
    return graph.add("Conv", x, scale[:, None, None, None], bias, name=name, group=len(scale))


@writes(keras.layers.ReLU)
def relu(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    if layer.max_value is None:
        return graph.add("Relu", x, name=name)
    return graph.add("Clip", x, np.array(0, np.float32), np.array(layer.max_value, np.float32), name=name)


@writes(keras.layers.Activation)
def activation(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    return activated(graph, layer.activation, name, x)


@writes(keras.layers.ZeroPadding2D)
def zero_padding(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    (top, bottom), (left, right) = layer.padding
    return graph.add("Pad", x, np.array([0, 0, top, left, 0, 0, bottom, right], np.int64), name=name)


@writes(keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
def pooling(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    if layer.padding != "valid":
        raise ConversionError(f"expected pooling without padding, got padding {layer.padding!r} in {name}")
    shape = {"kernel_shape": layer.pool_size, "strides": layer.strides}
    if isinstance(layer, keras.layers.MaxPooling2D):
        return graph.add("MaxPool", x, name=name, **shape)
    weights = np.full((layer.input.shape[-1], 1, *layer.pool_size), 1 / np.prod(layer.pool_size), np.float32)
    return graph.add("Conv", x, weights, name=name, group=len(weights), **shape)


@writes(keras.layers.GlobalAveragePooling2D)
def average(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    return graph.add("Flatten", graph.add("GlobalAveragePool", x, name=f"{name}/mean"), name=name)


@writes(keras.layers.Add)
def add(graph: Graph, layer: Any, name: str, terms: list[Tensor]) -> Tensor:
    return graph.add("Add", *terms, name=name)


@writes(CBAM)
def cbam(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    mean = graph.add("ReduceMean", x, name=f"{name}/mean", axes=[2, 3])
    largest = graph.add("ReduceMax", x, name=f"{name}/max", axes=[2, 3])
    scores = [_channel_scores(graph, layer, each) for each in (mean, largest)]
    weighted = _gated(graph, x, graph.add("Add", *scores, name=f"{name}/channels"))
    places = [
        graph.add("ReduceMax", weighted, name=f"{name}/places_max", axes=[1]),
        graph.add("ReduceMean", weighted, name=f"{name}/places_mean", axes=[1]),
    ]
    joined = graph.add("Concat", *places, name=f"{name}/places", axis=1)
    return _gated(graph, weighted, convolution(graph, layer.where, f"{name}/where", joined))


def _channel_scores(graph: Graph, layer: Any, pooled: Tensor) -> Tensor:
    """Apply both dense layers to `[B, C, 1, 1]`, as 1×1 convolutions."""
    narrow, widen = ((values(d.kernel).T[..., None, None], values(d.bias)) for d in (layer.narrow, layer.widen))
    hidden = graph.add("Relu", graph.add("Conv", pooled, *narrow, name=f"{pooled}/narrow"), name=f"{pooled}/relu")
    return graph.add("Conv", hidden, *widen, name=f"{pooled}/widen")


def _gated(graph: Graph, x: Tensor, score: Tensor) -> Tensor:
    """Return 2σ(score) · x."""
    gate = graph.add("Sigmoid", score, name=f"{score}/sigmoid")
    doubled = graph.add("Mul", gate, np.array(2, np.float32), name=f"{score}/gate")
    return graph.add("Mul", x, doubled, name=f"{score}/gated")


def _convolution(
    graph: Graph, layer: Any, name: str, x: Tensor, kernel: Any, axes: tuple[int, ...], group: int
) -> Tensor:
    weights: NDArray[np.float32] = values(kernel).transpose(axes)
    bias = [values(layer.bias)] if layer.use_bias else []
    attributes = {"strides": layer.strides, "dilations": layer.dilation_rate, "group": group}
    output = graph.add("Conv", x, weights, *bias, name=name, pads=_pads(layer), **attributes)
    return activated(graph, layer.activation, f"{name}/activation", output)


def _pads(layer: Any) -> list[int]:
    """Return what `padding="same"` adds at the top, left, bottom and right: the larger half goes below and right."""
    if layer.padding == "valid":
        return [0, 0, 0, 0]
    totals = []
    for axis, (kernel, stride) in enumerate(zip(layer.kernel_size, layer.strides, strict=True)):
        rest = layer.input.shape[1 + axis] % stride if stride > 1 else 0
        totals.append(max(kernel - (rest or stride), 0))
    return [total // 2 for total in totals] + [total - total // 2 for total in totals]
