"""Quantize fp32 ONNX to static int8: QDQ, per channel, u8 activations and s8 weights.

VNNI instructions of CPUs multiply u8 by s8. Scales are per channel because the ranges of depthwise channels differ too
much for a single one (arXiv 1806.08342).
"""

import itertools
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.arrays import Arrays

from .bias_correction import correct_biases

# The leading convolutions with at most this many weights in total stay in fp32: nine of MobileNetV2, two of
# DenseNet121. Their rounding errors would reach every later layer, and they add little to the file size.
EARLY_WEIGHTS: Final = 18_000
_BATCH: Final = 16


class _Batches(CalibrationDataReader):
    def __init__(self, inputs: Arrays) -> None:
        self._batches = _batches(inputs)

    def get_next(self) -> Arrays | None:
        return next(self._batches, None)


def to_int8(model: onnx.ModelProto, calibration: Arrays, early_weights: int = EARLY_WEIGHTS) -> onnx.ModelProto:
    """Quantize a model, with activation ranges measured on `calibration`.

    These stay in fp32:

    - the leading convolutions, up to `early_weights` weights in total;
    - sums, products and concatenations, which would round the same feature map again at every residual or dense
      connection;
    - the fusion gate and the logit, which are small and decide every prediction;
    - the text tower between its matrix products, where normalized activations have outliers that 8 bits cannot hold.

    Args:
        model: An fp32 model of `to_onnx`.
        calibration: Arrays of a few hundred users.
        early_weights: Total weights of the leading convolutions that stay in fp32.
    """
    with tempfile.TemporaryDirectory() as folder:
        original, prepared, quantized = (Path(folder, name) for name in ("fp32.onnx", "prepared.onnx", "int8.onnx"))
        onnx.save(model, original)
        quant_pre_process(str(original), str(prepared), skip_symbolic_shape=True)
        folded = onnx.load(prepared)
        excluded = _kept_in_fp32(folded.graph, early_weights)
        quantize_static(
            correct_biases(folded, _batches(calibration), excluded),
            str(quantized),
            _Batches(calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=excluded,
        )
        return _cleaned(onnx.load(quantized))


def _batches(inputs: Arrays) -> Iterator[Arrays]:
    rows = len(next(iter(inputs.values())))
    for start in range(0, rows, _BATCH):
        yield {name: array[start : start + _BATCH] for name, array in inputs.items()}


def _cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove intermediate shapes and unused operator sets, which only the quantization tools need."""
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    return model


def _kept_in_fp32(graph: onnx.GraphProto, early_weights: int) -> list[str]:
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    weights = itertools.accumulate(sizes[node.input[1]] for node in convolutions)
    early = [node.name for node, total in zip(convolutions, weights, strict=True) if total <= early_weights]
    return early + [node.name for node in graph.node if _is_sensitive(node)]


def _is_sensitive(node: onnx.NodeProto) -> bool:
    # Keras may append a number to each part of a path.
    layers = {part.rstrip("_0123456789") for part in node.name.split("/")}
    if "text_tower" in layers:
        return node.op_type not in ("MatMul", "Gemm", "Gather")
    return node.op_type in ("Add", "Mul", "Concat") or not layers.isdisjoint({"fusion", "gender", "calibration"})
