"""Write the Keras layers of the text tower as ONNX nodes, with the fused operators of ONNX Runtime."""

from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from genderprep.tensors import MAX_TOKENS
from training.layers import MaskedMean, NgramScore, PositionEmbedding, TransformerEncoderLayer
from training.layers.ngram_score import LONGEST_COMMON, MULTIPLIER, NEIGHBORS

from .errors import ConversionError
from .graph import CONTRIB, Graph, Tensor
from .writers import activated, values, writes


def cut(graph: Graph, name: str, tokens: Tensor, margin: int = 0) -> Tensor:
    """Cut int32 tokens `[B, T]`, padded with 0, to the longest row of the batch, at least to one step.

    Args:
        graph: The graph under construction.
        name: Prefix of the nodes.
        tokens: The tokens.
        margin: Steps of padding to keep, because the last valid step reads them.
    """
    valid = graph.add("Min", tokens, np.array(1, np.int32), name=f"{name}/uncut_valid")
    places = graph.add("Mul", valid, np.arange(1, MAX_TOKENS + 1, dtype=np.int32), name=f"{name}/places")
    lasts = graph.add("ReduceMax", places, name=f"{name}/lasts", axes=[0], keepdims=0)
    last = graph.add("ReduceMax", lasts, name=f"{name}/last", axes=[0], keepdims=1)
    graph.steps = graph.add("Max", last, np.array([1], np.int32), name=f"{name}/steps")
    if margin:
        wider = graph.add("Add", graph.steps, np.array([margin], np.int32), name=f"{name}/wider")
        graph.steps = graph.add("Min", wider, np.array([MAX_TOKENS], np.int32), name=f"{name}/steps_and_margin")
    return graph.add("Slice", tokens, np.array([0], np.int32), graph.steps, np.array([1], np.int32), name=f"{name}/cut")


@writes(keras.layers.Lambda)
def valid_steps(graph: Graph, layer: Any, name: str, tokens: Tensor) -> Tensor:
    """Write the mask of the tokens that are not padding as int32 `[B, T]`, 1 for valid."""
    if layer.name != "valid":
        raise ConversionError(f"expected no Lambda layer but the mask named valid, got {name}")
    return graph.add("Min", tokens, np.array(1, np.int32), name=name)


@writes(keras.layers.Embedding)
def embedding(graph: Graph, layer: Any, name: str, tokens: Tensor) -> Tensor:
    return graph.add("Gather", values(layer.embeddings), tokens, name=name)


@writes(keras.layers.Conv1D)
def convolution_of_steps(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    """Write a convolution over the steps of `[B, T, D]`."""
    if layer.padding != "same" or layer.strides != (1,):
        raise ConversionError(f"expected padding 'same' and stride 1, got {layer.padding!r}, {layer.strides} in {name}")
    (width,) = layer.kernel_size
    weights: NDArray[np.float32] = values(layer.kernel).transpose(2, 1, 0)
    planes = graph.add("Transpose", x, name=f"{name}/planes", perm=[0, 2, 1])
    pads = [(width - 1) // 2, width // 2]
    joined = graph.add("Conv", planes, weights, values(layer.bias), name=f"{name}/convolution", pads=pads)
    steps = graph.add("Transpose", joined, name=f"{name}/steps", perm=[0, 2, 1])
    return activated(graph, layer.activation, name, steps)


@writes(PositionEmbedding)
def positions(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    table: Any = values(layer.positions)
    if graph.steps:
        first, axis = np.array([0], np.int32), np.array([0], np.int32)
        table = graph.add("Slice", table, first, graph.steps, axis, name=f"{name}/cut")
    return graph.add("Add", x, table, name=name)


@writes(TransformerEncoderLayer)
def encoder(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> Tensor:
    x, valid = inputs
    attention = layer.attention
    projections = (attention.query_dense, attention.key_dense, attention.value_dense)
    size = attention.output_dense.bias.shape[0]
    weights = np.concatenate([values(each.kernel).reshape(size, -1) for each in projections], axis=1)
    bias = np.concatenate([values(each.bias).ravel() for each in projections])
    attended = graph.add(
        "Attention", x, weights, bias, valid, name=f"{name}/attention", domain=CONTRIB, num_heads=layer.heads
    )
    output = attention.output_dense
    attended = graph.add("MatMul", attended, values(output.kernel).reshape(-1, size), name=f"{name}/attention_output")
    x = _add_and_normalize(graph, layer.norms[0], f"{name}/norm_1", attended, x, output.bias)
    wide = graph.add("MatMul", x, values(layer.widen.kernel), name=f"{name}/widen")
    wide = graph.add("Add", wide, values(layer.widen.bias), name=f"{name}/widen_bias")
    wide = activated(graph, layer.widen.activation, f"{name}/activation", wide)
    narrow = graph.add("MatMul", wide, values(layer.narrow.kernel), name=f"{name}/narrow")
    return _add_and_normalize(graph, layer.norms[1], f"{name}/norm_2", narrow, x, layer.narrow.bias)


@writes(MaskedMean)
def masked_mean(graph: Graph, layer: Any, name: str, inputs: list[Tensor]) -> Tensor:
    """Write the mean as a product of `[B, 1, T]` shares and `[B, T, D]` steps."""
    x, valid = inputs
    mask = graph.add("Cast", valid, name=f"{name}/mask", to=onnx.TensorProto.FLOAT)
    count = graph.add("ReduceSum", mask, np.array([1], np.int64), name=f"{name}/count")
    shares = graph.add(
        "Unsqueeze", graph.add("Div", mask, count, name=f"{name}/shares"), np.array([1], np.int64), name=f"{name}/row"
    )
    return graph.add("Squeeze", graph.add("MatMul", shares, x, name=f"{name}/mean"), np.array([1], np.int64), name=name)


@writes(NgramScore)
def ngram_score(graph: Graph, layer: Any, name: str, tokens: Tensor) -> Tensor:
    """Write the hashes of all n-grams of a token as one product `[B, N, T]`, and find their weights by one gather.

    The layer's recursion is, modulo the number of buckets, a sum of tokens times powers of the multiplier.
    """
    before, behind, longest = -min(NEIGHBORS), max(NEIGHBORS), len(NEIGHBORS) + 1
    # A convolution of zeros and ones collects each token and its neighbors; 32-bit floats hold token ids exactly.
    collect = np.eye(before + behind + 1, dtype=np.float32)[[before + offset for offset in (0, *NEIGHBORS)], None]
    row = graph.add("Cast", tokens, name=f"{name}/numbers", to=onnx.TensorProto.FLOAT)
    row = graph.add("Unsqueeze", row, np.array([1]), name=f"{name}/row")
    members = graph.add("Conv", row, collect, name=f"{name}/collected", pads=[before, behind])
    members = graph.add("Cast", members, name=f"{name}/members", to=onnx.TensorProto.INT64)
    powers = [pow(MULTIPLIER, power, layer.buckets) for power in range(longest + 1)]
    factors = [[powers[n - place] if place < n else 0 for place in range(longest)] for n in range(1, longest + 1)]
    half = [[layer.buckets * (n > LONGEST_COMMON)] for n in range(1, longest + 1)]
    hashes = graph.add("MatMul", np.array(factors), members, name=f"{name}/products")
    hashes = graph.add("Mod", hashes, np.array(layer.buckets), name=f"{name}/hashes")
    every = graph.add("Add", hashes, np.array(half), name=f"{name}/buckets")
    weights = graph.add("Gather", values(layer.table), every, name=f"{name}/weights")
    by_token = graph.add("ReduceSum", weights, np.array([1]), name=f"{name}/by_token", keepdims=0)
    valid = graph.add("Min", tokens, np.array(1, np.int32), name=f"{name}/valid")
    mask = graph.add("Cast", valid, name=f"{name}/mask", to=onnx.TensorProto.FLOAT)
    valid_weights = graph.add("Mul", by_token, mask, name=f"{name}/valid_weights")
    total = graph.add("ReduceSum", valid_weights, np.array([1]), name=f"{name}/total")
    count = graph.add("ReduceSum", mask, np.array([1]), name=f"{name}/count")
    return graph.add("Div", total, graph.add("Sqrt", count, name=f"{name}/root"), name=name)


@writes(keras.layers.GlobalAveragePooling1D)
def mean_over_padding(graph: Graph, layer: Any, name: str, x: Tensor) -> Tensor:
    return graph.add("ReduceMean", x, name=name, axes=[1], keepdims=0)


def _add_and_normalize(graph: Graph, norm: Any, name: str, x: Tensor, skip: Tensor, bias: Any) -> Tensor:
    """Write LayerNormalization(x + bias + skip)."""
    parameters = (values(each) for each in (norm.gamma, norm.beta, bias))
    return graph.add(
        "SkipLayerNormalization", x, skip, *parameters, name=name, domain=CONTRIB, epsilon=float(norm.epsilon)
    )
