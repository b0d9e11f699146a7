"""Write the Keras layers that only the dual encoder has as ONNX nodes."""

from typing import Any

import keras
import numpy as np
import onnx

from training.pretrain.mixture import MixtureOfExperts

from .encoder_model import ZeroIfMissing
from .graph import Graph, Tensor
from .writers import values, writes


@writes(keras.layers.UnitNormalization)
def unit_normalization(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    return graph.add("LpNormalization", x, name=name, axis=1, p=2)


@writes(keras.layers.LayerNormalization)
def layer_normalization(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    parameters = (values(layer.gamma), values(layer.beta))
    return graph.add("LayerNormalization", x, *parameters, name=name, axis=-1, epsilon=float(layer.epsilon))


@writes(MixtureOfExperts)
def mixture_of_experts(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> Tensor:
    """Write all experts as batched products, `[B, E, T, D]`; the weight of an expert that is not chosen is 0."""
    x, valid = inputs
    tokens = graph.add("Unsqueeze", x, np.array([1], np.int64), name=f"{name}/tokens")
    wide = graph.add("MatMul", tokens, values(layer.widen), name=f"{name}/widen")
    hidden = graph.add("Relu", wide, name=f"{name}/relu")
    answers = graph.add("MatMul", hidden, values(layer.narrow), name=f"{name}/narrow")
    by_expert = graph.add("Transpose", _gate(graph, layer, name, x, valid), name=f"{name}/by_expert", perm=[0, 2, 1])
    weights = graph.add("Unsqueeze", by_expert, np.array([3], np.int64), name=f"{name}/column")
    weighted = graph.add("Mul", answers, weights, name=f"{name}/weighted")
    return graph.add("ReduceSum", weighted, np.array([1], np.int64), name=name, keepdims=0)


@writes(ZeroIfMissing)
def zero_if_missing(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> Tensor:
    x, present = inputs
    shown = graph.split(present, 2, f"{name}/shown")[layer.position]
    return graph.add("Where", shown, x, np.array(0, np.float32), name=f"{name}/or_zero")


def _gate(graph: Graph, layer: Any, name: str, x: Tensor, valid: Tensor) -> Tensor:
    """Write the weight of each expert for each token, `[B, T, E]`, as `training.pretrain.mixture.gate_weights`."""
    scores = graph.add("MatMul", x, values(layer.router), name=f"{name}/logits")
    if layer.gate == "article":
        scores = graph.add("Softmax", scores, name=f"{name}/softmax", axis=-1)
    largest, chosen = graph.top_k(scores, layer.k, f"{name}/largest")
    shares = graph.add("Softmax", largest, name=f"{name}/shares", axis=-1)
    nothing = graph.add("Mul", scores, np.array(0, np.float32), name=f"{name}/nothing")
    spread = graph.add("ScatterElements", nothing, chosen, shares, name=f"{name}/spread", axis=-1)
    mask = graph.add("Cast", valid, name=f"{name}/mask", to=onnx.TensorProto.FLOAT)
    mask = graph.add("Unsqueeze", mask, np.array([2], np.int64), name=f"{name}/mask_column")
    return graph.add("Mul", spread, mask, name=f"{name}/weights")
