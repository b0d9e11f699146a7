"""Each merge is exact: the graph computes what Keras computes, with fewer nodes."""

from collections import Counter

import keras
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from conversion.errors import ConversionError
from conversion.export import to_onnx
from conversion.parity import run_onnx

SIZE = 12
PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


def trunk(*layers: keras.layers.Layer) -> keras.Model:
    """Build a model of layers after the normalization of pixels, with random weights and statistics."""
    pixels = keras.Input((SIZE, SIZE, 3), dtype="uint8", name="IMAGE")
    x = keras.layers.Rescaling([1 / 58, 1 / 57, 1 / 60], [-2.1, -2.0, -1.8])(pixels)
    for layer in layers:
        x = layer(x)
    rng = np.random.default_rng(1)
    for layer in layers:
        layer.set_weights([_weights(rng, w.shape) for w in layer.weights])
    return keras.Model({"IMAGE": pixels}, {"OUT": keras.layers.GlobalAveragePooling2D(name="mean")(x)})


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    sizes = rng.uniform(0.2, 1, shape)
    return sizes * rng.choice([-1, 1], shape) if len(shape) > 1 else sizes


def converted(*layers: keras.layers.Layer) -> tuple[onnx.ModelProto, Counter[str]]:
    """Convert a model, compare its outputs with those of Keras, and return it with its counted operators."""
    model = trunk(*layers)
    onnx_model = to_onnx(model)
    expected = model.predict({"IMAGE": PIXELS}, verbose=0)["OUT"]
    np.testing.assert_allclose(run_onnx(onnx_model.SerializeToString(), {"IMAGE": PIXELS})["OUT"], expected, rtol=1e-4)
    return onnx_model, Counter(node.op_type for node in onnx_model.graph.node)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2])
def test_normalization_of_pixels_merges_into_padded_convolution(padding: str, strides: int) -> None:
    conv = keras.layers.Conv2D(4, 3, strides=strides, padding=padding, activation="relu")
    model, operators = converted(conv)
    assert operators["Conv"] == 1
    (weights,) = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]
    # Three channels of pixels and one of constants.
    assert list(weights.dims) == [4, 4, 3, 3]


def test_zero_padding_and_batch_norm_merge_into_depthwise_convolution() -> None:
    _, operators = converted(
        keras.layers.ZeroPadding2D(((0, 1), (0, 1))),
        keras.layers.DepthwiseConv2D(3, strides=2, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(6.0),
    )
    # The normalization of pixels is one, because a depthwise convolution cannot absorb it.
    assert (operators["Conv"], operators["Clip"], operators["BatchNormalization"]) == (2, 1, 0)


def test_maximum_absorbs_padding_of_rectified_values_only() -> None:
    pool = [keras.layers.ZeroPadding2D(1), keras.layers.MaxPooling2D(3, strides=2)]
    _, operators = converted(keras.layers.Conv2D(4, 3), keras.layers.Activation("relu"), *pool)
    # One Pad adds the channel of constants.
    assert operators["Pad"] == 1
    pool = [keras.layers.ZeroPadding2D(1), keras.layers.MaxPooling2D(3, strides=2)]
    with pytest.raises(ConversionError, match="expected rectified values where a maximum is padded"):
        to_onnx(trunk(keras.layers.Conv2D(4, 3), *pool))


def test_mean_of_pixels_moves_before_pointwise_convolution() -> None:
    layers = [keras.layers.Conv2D(8, 3), keras.layers.Activation("relu"), keras.layers.Conv2D(4, 1)]
    model, _ = converted(*layers, keras.layers.AveragePooling2D(2))
    kernels = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    shapes = [kernels[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]
    assert shapes == [[8, 4, 3, 3], [8, 1, 2, 2], [4, 8, 1, 1]]


def test_convolution_with_two_readers_keeps_its_output() -> None:
    pixels = keras.Input((SIZE, SIZE, 3), dtype="uint8", name="IMAGE")
    conv = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 127.5, -1.0)(pixels))
    normalized = keras.layers.BatchNormalization(beta_initializer="ones")(conv)
    total = keras.layers.Add()([conv, normalized])
    model = keras.Model({"IMAGE": pixels}, {"OUT": keras.layers.GlobalAveragePooling2D()(total)})
    outputs = run_onnx(to_onnx(model).SerializeToString(), {"IMAGE": PIXELS})["OUT"]
    np.testing.assert_allclose(outputs, model.predict({"IMAGE": PIXELS}, verbose=0)["OUT"], atol=1e-5)
