"""Write the Keras layers of the ranker as ONNX nodes. Items and queries are `[B, T, D]` and `[B, K, D]`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.layers import AttentivePooling, ChannelPReLU, Compressor, TasteMixture
from training.layers.taste_mixture import LEAST

from .graph import Graph, Tensor
from .writers import MASKED_SCORE, values, writes


def linear(
    graph: Graph, name: str, x: Tensor, kernel: NDArray[np.float32], bias: NDArray[np.float32] | None = None
) -> Tensor:
    """Write x · kernel + bias for x of any rank."""
    product = graph.add("MatMul", x, kernel, name=name)
    return product if bias is None else graph.add("Add", product, bias, name=f"{name}/bias")


def prelu(graph: Graph, name: str, x: Tensor, slopes: NDArray[np.float32]) -> Tensor:
    """Write a · x + (1 − a) · relu(x) with slopes a: ONNX Runtime computes it several times faster than its PRelu."""
    positive = graph.add("Mul", graph.add("Relu", x, name=f"{name}/relu"), 1 - slopes, name=f"{name}/positive")
    return graph.add("Add", graph.add("Mul", x, slopes, name=f"{name}/linear"), positive, name=name)


def log_odds(graph: Graph, p: Tensor, least: float, name: str) -> Tensor:
    """Write the log odds of a probability that is clipped to `least` and 1 minus that."""
    clipped = graph.add("Clip", p, np.array(least, np.float32), np.array(1 - least, np.float32), name=f"{name}/clipped")
    complement = graph.add("Sub", np.array(1, np.float32), clipped, name=f"{name}/complement")
    return graph.add("Log", graph.add("Div", clipped, complement, name=f"{name}/odds"), name=f"{name}/log_odds")


@writes(ChannelPReLU)
def channel_prelu(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    return prelu(graph, name, x, values(layer.slopes))


@writes(Compressor)
def compressor(graph: Graph, layer: Any, name: str, vectors: Tensor, scale: float = 1.0) -> Tensor:
    """Write the layer for vectors that are multiplied by `scale` first."""
    for index, (dense, slopes) in enumerate(zip(layer.dense, layer.slopes, strict=True)):
        kernel = values(dense.kernel) * np.float32(scale if index == 0 else 1)
        wide = linear(graph, f"{name}/{index}", vectors, kernel, values(dense.bias))
        vectors = prelu(graph, f"{name}/{index}/prelu", wide, values(slopes))
    return vectors


@writes(AttentivePooling)
def attentive_pooling(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> Tensor:
    """Write the pooling with half of its work.

    The score w · PReLU(q + b), with slopes a, is w(1 − a) · relu(q + b) + wa · q + wa · b. Its second term is the same
    for all items of a query, so the softmax ignores it, and its third is the same for all queries.
    """
    queries, items, mask = inputs
    of_query = linear(graph, f"{name}/query", queries, values(layer.of_query.kernel), values(layer.of_query.bias))
    of_item = linear(graph, f"{name}/item", items, values(layer.of_item.kernel))
    weights, slopes = values(layer.score.kernel), values(layer.activation.slopes)[:, None]
    pairs = graph.add(
        "Add",
        graph.add("Unsqueeze", of_query, np.array([2]), name=f"{name}/queries"),
        graph.add("Unsqueeze", of_item, np.array([1]), name=f"{name}/items"),
        name=f"{name}/pairs",
    )
    positive = linear(graph, f"{name}/positive", graph.add("Relu", pairs, name=f"{name}/relu"), weights * (1 - slopes))
    scores = graph.add("Squeeze", positive, np.array([3]), name=f"{name}/scores")
    shared = graph.add(
        "Transpose", linear(graph, f"{name}/linear", of_item, weights * slopes), name=f"{name}/row", perm=[0, 2, 1]
    )
    is_item = graph.add("Unsqueeze", mask, np.array([1]), name=f"{name}/is_item")
    # One addition to a row instead of a choice for each pair.
    shared = graph.add("Where", is_item, shared, MASKED_SCORE, name=f"{name}/masked")
    shares = graph.add("Softmax", graph.add("Add", scores, shared, name=f"{name}/sum"), name=f"{name}/shares", axis=-1)
    pooled = graph.add("MatMul", shares, items, name=f"{name}/pooled")
    some = graph.add("ReduceMax", graph.as_float(mask, f"{name}/mask"), name=f"{name}/some", axes=[1], keepdims=1)
    empty = graph.add(
        "Unsqueeze",
        graph.add("Less", some, np.array(0.5, np.float32), name=f"{name}/none"),
        np.array([2]),
        name=f"{name}/empty",
    )
    return graph.add("Where", empty, values(layer.null), pooled, name=name)


@writes(TasteMixture)
def taste_mixture(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> Tensor:
    """Write the layer; its result is `[B, K, 1]`."""
    user, items, mask, candidates = inputs
    prior, evidence, appeal = (
        linear(graph, f"{name}/{label}", x, values(dense.kernel), values(dense.bias))
        for label, x, dense in (
            ("prior", user, layer.prior),
            ("evidence", items, layer.evidence),
            ("appeal", candidates, layer.appeal),
        )
    )
    is_item = graph.add("Unsqueeze", graph.as_float(mask, f"{name}/mask"), np.array([2]), name=f"{name}/is_item")
    known = graph.add("Mul", evidence, is_item, name=f"{name}/known")
    total = graph.add("ReduceSum", known, np.array([1]), name=f"{name}/total", keepdims=0)
    shares = graph.add("Softmax", graph.add("Add", prior, total, name=f"{name}/sum"), name=f"{name}/shares", axis=-1)
    likes = graph.add("Sigmoid", appeal, name=f"{name}/likes")
    column = graph.add("Unsqueeze", shares, np.array([2]), name=f"{name}/column")
    p_like = graph.add("MatMul", likes, column, name=f"{name}/p_like")
    return graph.add("Mul", log_odds(graph, p_like, LEAST, name), values(layer.scale), name=f"{name}/scaled")
