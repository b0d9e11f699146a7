"""Convert a trained ranker to ONNX: from the gallery's ranking inputs to a list of pictures."""

from typing import Any, Final

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper

from genderprep.tensors import EMBEDDING, EMBEDDING_SIZE, PROBABILITIES
from picturegallery.history import HISTORY_SIZE
from picturegallery.prerank import CANDIDATE_SIZE
from picturegallery.ranking_inputs import (
    CANDIDATE_IDS,
    CANDIDATE_MASK,
    CANDIDATE_PRIORS,
    CANDIDATE_VECTORS,
    EXPLORE,
    HISTORY_MASK,
    HISTORY_VECTORS,
    NOISE,
)
from training.ranking.model import LEAST

from .errors import ConversionError
from .graph import Graph, Tensor
from .ranker_layers import attentive_pooling, compressor, linear, log_odds, prelu, taste_mixture
from .ranking_head import LIST_SIZE, PICTURES, PROPENSITIES, SCORES, TEMPERATURE, ranking_head
from .writers import values

LOGITS: Final = "LOGITS"


def ranker_to_onnx(model: keras.Model, temperature: float = TEMPERATURE, logits: bool = False) -> onnx.ModelProto:
    """Convert `training.ranking.model.Ranker.served_model`.

    What depends on the user alone is computed once and not for each candidate; `publish_ranker` compares the results
    with those of Keras.

    Args:
        model: The served model.
        temperature: Of exploration.
        logits: Whether to keep `LOGITS` `[B, C]` as an output, for that comparison.

    Raises:
        ConversionError: The model does not pool by candidate and by user, or lacks a layer or a feature.
    """
    graph, size = Graph(), int(model.input["candidate_vectors"].shape[-1])
    _write_logits(graph, _layers(model))
    ranking_head(graph, LOGITS, temperature)
    inputs = {
        EMBEDDING: (TensorProto.FLOAT, [EMBEDDING_SIZE]),
        PROBABILITIES: (TensorProto.FLOAT, [2]),
        HISTORY_VECTORS: (TensorProto.FLOAT, [HISTORY_SIZE, size]),
        HISTORY_MASK: (TensorProto.BOOL, [HISTORY_SIZE]),
        CANDIDATE_IDS: (TensorProto.INT64, [CANDIDATE_SIZE]),
        CANDIDATE_VECTORS: (TensorProto.FLOAT, [CANDIDATE_SIZE, size]),
        CANDIDATE_MASK: (TensorProto.BOOL, [CANDIDATE_SIZE]),
        CANDIDATE_PRIORS: (TensorProto.FLOAT, [CANDIDATE_SIZE]),
        NOISE: (TensorProto.FLOAT, [CANDIDATE_SIZE]),
        EXPLORE: (TensorProto.BOOL, [1]),
    }
    outputs = {
        PICTURES: (TensorProto.INT64, [LIST_SIZE]),
        SCORES: (TensorProto.FLOAT, [LIST_SIZE]),
        PROPENSITIES: (TensorProto.FLOAT, [LIST_SIZE]),
        **({LOGITS: (TensorProto.FLOAT, [CANDIDATE_SIZE])} if logits else {}),
    }
    return graph.model(*([_info(name, *spec) for name, spec in each.items()] for each in (inputs, outputs)))


def _layers(model: keras.Model) -> dict[str, Any]:
    names = (
        "vector_scale",
        "compressor",
        "history_pooling",
        "embedding_projection",
        "embedding_activation",
        "taste_mixture",
        "logit",
    )
    layers = {layer.name: layer for layer in model.layers}
    if missing := [name for name in names if name not in layers]:
        raise ConversionError(f"expected a ranker with the layers {', '.join(names)}, got none named {missing[0]}")
    if len(getattr(layers["history_pooling"], "channels", ())) != 2:
        raise ConversionError("expected a ranker with multi-query pooling by candidate and by user")
    first = next(layer for name, layer in layers.items() if name.startswith("dense_"))
    rows = 5 * layers["compressor"].units[-1] + 1 + 2 + layers["embedding_projection"].units
    if first.kernel.shape[0] != rows:
        raise ConversionError(
            f"expected a ranker with products and gender, so {rows} features, got {first.kernel.shape[0]}"
        )
    return layers


def _write_logits(graph: Graph, layers: dict[str, Any]) -> None:
    history, mask = _cut_history(graph)
    user = _user(graph, layers)
    scale = float(layers["vector_scale"].scale)
    liked = compressor(graph, layers["compressor"], "history", history, scale)
    candidates = compressor(graph, layers["compressor"], "candidates", CANDIDATE_VECTORS, scale)
    by_candidate, by_user = layers["history_pooling"].channels
    query = graph.add("Unsqueeze", user, np.array([1]), name="user/query")
    pooled = attentive_pooling(graph, by_candidate, "pool_by_candidate", [candidates, liked, mask])
    for_user = attentive_pooling(graph, by_user, "pool_by_user", [query, liked, mask])
    odds = log_odds(graph, CANDIDATE_PRIORS, LEAST, "prior")
    prior = graph.add("Unsqueeze", odds, np.array([2]), name="prior/column")
    products = (graph.add("Mul", candidates, each, name=f"{each}/product") for each in (pooled, for_user))
    of_candidate = graph.add("Concat", candidates, pooled, *products, prior, name="of_candidate", axis=2)
    of_user = graph.add("Concat", for_user, query, name="of_user", axis=2)
    x = _first_dense(graph, layers, of_candidate, of_user)
    dense = [name for name in layers if name.startswith("dense_")]
    for name in dense[1:]:
        x = linear(graph, name, x, values(layers[name].kernel), values(layers[name].bias))
        x = _activated(graph, layers, name, x)
    last = layers["logit"]
    column = linear(graph, "logit", x, values(last.kernel), values(last.bias))
    mixed = taste_mixture(graph, layers["taste_mixture"], "tastes", [user, liked, mask, candidates])
    graph.add("Squeeze", graph.add("Add", column, mixed, name="logit/sum"), np.array([2]), name=LOGITS)


def _first_dense(graph: Graph, layers: dict[str, Any], of_candidate: Tensor, of_user: Tensor) -> Tensor:
    """Write the first dense layer as the sum of two products, of which the user's is computed once.

    Its kernel multiplies [candidate; pooled for it; pooled for the user; candidate · both; prior; user].
    """
    name = next(name for name in layers if name.startswith("dense_"))
    size = layers["compressor"].units[-1]
    pair, for_user, rest, user = np.split(values(layers[name].kernel), [2 * size, 3 * size, 5 * size + 1])
    product = linear(graph, name, of_candidate, np.concatenate([pair, rest]))
    shared = linear(graph, f"{name}/user", of_user, np.concatenate([for_user, user]), values(layers[name].bias))
    return _activated(graph, layers, name, graph.add("Add", product, shared, name=f"{name}/sum"))


def _activated(graph: Graph, layers: dict[str, Any], dense: str, x: Tensor) -> Tensor:
    activation = layers[dense.replace("dense", "prelu")]
    return prelu(graph, f"{dense}/prelu", x, values(activation.slopes))


def _user(graph: Graph, layers: dict[str, Any]) -> Tensor:
    """Write the user's features: how many likes are known, and what the gender model says."""
    liked = graph.as_float(HISTORY_MASK, "user/mask")
    count = graph.add("ReduceSum", liked, np.array([1]), name="user/count")
    more = graph.add("Add", count, np.array(1, np.float32), name="user/more")
    logarithm = graph.add("Log", more, name="user/logarithm")
    known = graph.add("Div", logarithm, np.array(4, np.float32), name="user/known")
    _, p_female = graph.split(PROBABILITIES, 2, "user/probability")
    norm = graph.add("ReduceL2", EMBEDDING, name="user/norm", axes=[1], keepdims=1)
    norm = graph.add("Max", norm, np.array(1e-6, np.float32), name="user/positive_norm")
    unit = graph.add("Div", EMBEDDING, norm, name="user/unit")
    project = layers["embedding_projection"]
    projected = linear(graph, "user/projected", unit, values(project.kernel), values(project.bias))
    projected = prelu(graph, "user/embedding", projected, values(layers["embedding_activation"].slopes))
    return graph.add("Concat", known, log_odds(graph, p_female, LEAST, "gender"), projected, name="user", axis=1)


def _cut_history(graph: Graph) -> tuple[Tensor, Tensor]:
    """Cut the history to the longest of the batch, at least to one place."""
    name, zero, axis = "history/cut", np.array([0]), np.array([1])
    bits = graph.add("Cast", HISTORY_MASK, name=f"{name}/bits", to=TensorProto.INT64)
    places = graph.add("Mul", bits, np.arange(1, HISTORY_SIZE + 1), name=f"{name}/places")
    last = graph.add("ReduceMax", places, name=f"{name}/last", keepdims=0)
    end = graph.add(
        "Max", graph.add("Reshape", last, np.array([1]), name=f"{name}/one"), np.array([1]), name=f"{name}/end"
    )
    return (
        graph.add("Slice", HISTORY_VECTORS, zero, end, axis, name=name),
        graph.add("Slice", HISTORY_MASK, zero, end, axis, name=f"{name}/mask"),
    )


def _info(name: str, element: int, dims: list[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, ["batch", *dims])
