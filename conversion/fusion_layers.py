"""Write the Keras layers that fuse both towers and calibrate the answer as ONNX nodes."""

from typing import Any

import keras
import numpy as np
import onnx

from genderprep.tensors import MAX_TOKENS
from training.layers import AttentionFusion, Calibration, ConcatFusion, HandFeatures

from .graph import Graph, Tensor
from .writers import MASKED_SCORE, activated, values, writes

# The constant of the graph that holds slope and offset for each presence pattern.
CALIBRATION = "calibration"


@writes(keras.layers.Dense)
def dense(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    output = graph.add("Gemm", x, values(layer.kernel), values(layer.bias), name=name)
    return activated(graph, layer.activation, f"{name}/activation", output)


@writes(keras.layers.Concatenate)
def concatenate(graph: Graph, layer: Any, name: str, parts: list[Tensor]) -> Tensor:
    """Write the concatenation of channels, of features or of maps."""
    return graph.add("Concat", *parts, name=name, axis=1)


@writes(keras.layers.Dropout, keras.layers.Identity)
def identity(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    return x


@writes(AttentionFusion)
def attention_fusion(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> tuple[Tensor, Tensor]:
    avatar, nickname, present = _with_nulls(graph, layer, name, inputs)
    # The layer multiplies [v; t; v − t]; the third block joins the other two.
    v, t, difference = np.split(values(layer.score_hidden.kernel), 3)
    pair = graph.add("Concat", avatar, nickname, name=f"{name}/pair", axis=1)
    weights, bias = np.concatenate([v + difference, t - difference]), values(layer.score_hidden.bias)
    hidden = activated(
        graph,
        layer.score_hidden.activation,
        f"{name}/hidden_activation",
        graph.add("Gemm", pair, weights, bias, name=f"{name}/hidden"),
    )
    scores = dense(graph, layer.score, f"{name}/scores", hidden)
    masked = graph.add("Where", inputs[2], scores, MASKED_SCORE, name=f"{name}/masked")
    shares = graph.add("Softmax", masked, name=f"{name}/shares", axis=1)
    shares = graph.add("Mul", shares, present, name=f"{name}/weights")
    parts = zip((avatar, nickname), graph.split(shares, 2, f"{name}/weight"), strict=True)
    terms = [graph.add("Mul", x, weight, name=f"{weight}/term") for x, weight in parts]
    return graph.add("Add", *terms, name=name), shares


@writes(ConcatFusion)
def concat_fusion(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> tuple[Tensor, Tensor]:
    avatar, nickname, present = _with_nulls(graph, layer, name, inputs)
    joined = dense(graph, layer.join, name, graph.add("Concat", avatar, nickname, name=f"{name}/pair", axis=1))
    count = graph.add("ReduceSum", present, np.array([1], np.int64), name=f"{name}/count")
    count = graph.add("Max", count, np.array([1], np.float32), name=f"{name}/at_least_one")
    return joined, graph.add("Div", present, count, name=f"{name}/weights")


@writes(HandFeatures)
def hand_features(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> Tensor:
    tokens, present = inputs
    kinds = graph.add("Gather", values(layer.table), tokens, name=f"{name}/kinds")
    counts = graph.add("ReduceSum", kinds, np.array([1], np.int64), name=f"{name}/counts", keepdims=0)
    _, shown = graph.split(
        graph.add("Cast", present, name=f"{name}/present", to=onnx.TensorProto.FLOAT), 2, f"{name}/shown"
    )
    shares = graph.add("Div", counts, np.array(MAX_TOKENS, np.float32), name=f"{name}/shares")
    return graph.add("Mul", shares, shown, name=name)


@writes(Calibration)
def calibration(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> Tensor:
    """Write P = σ(±(slope · logit + offset)), with slope and offset of the user's presence pattern."""
    logit, present = inputs
    graph.constants[CALIBRATION] = np.array(layer.lines, np.float32)
    bits = graph.add("Cast", present, name=f"{name}/present", to=onnx.TensorProto.INT32)
    bits = graph.add("Mul", bits, np.array([2, 1], np.int32), name=f"{name}/bits")
    row = graph.add("ReduceSum", bits, np.array([1], np.int64), name=f"{name}/row", keepdims=0)
    slopes, offsets = graph.split(graph.add("Gather", CALIBRATION, row, name=f"{name}/line"), 2, f"{name}/constant")
    scaled = graph.add("Mul", logit, slopes, name=f"{name}/scaled")
    calibrated = graph.add("Add", scaled, offsets, name=f"{name}/logit")
    both = graph.add("Mul", calibrated, np.array([-1, 1], np.float32), name=f"{name}/both")
    return graph.add("Sigmoid", both, name=f"{name}/probabilities")


def _with_nulls(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Replace missing features by the null vectors; the third tensor is `present` as float."""
    avatar, nickname, present = inputs
    shown = graph.split(present, 2, f"{name}/shown")
    nulls = (layer.null_avatar, layer.null_nickname)
    known = [
        graph.add("Where", flag, feature, values(null), name=f"{name}/{modality}")
        for flag, feature, null, modality in zip(shown, (avatar, nickname), nulls, ("avatar", "nickname"), strict=True)
    ]
    return known[0], known[1], graph.add("Cast", present, name=f"{name}/present", to=onnx.TensorProto.FLOAT)
