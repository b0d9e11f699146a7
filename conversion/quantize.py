"""fp32 ONNX to int8: static, QDQ, per channel, u8 activations and s8 weights.

u8 with s8 is what the VNNI instructions of CPUs multiply; per channel because the ranges of depthwise
channels differ too much for one scale (arXiv 1806.08342).
"""

import itertools
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from .bias_correction import correct_biases

# The leading convolutions that together have no more weights than this stay in fp32: nine of MobileNetV2, two
# of DenseNet121. Every later layer sees their errors, and they add little to the file.
EARLY_WEIGHTS: Final = 18_000
_BATCH: Final = 16


class _Rows(CalibrationDataReader):
    def __init__(self, inputs: dict[str, NDArray[Any]]) -> None:
        self._batches = _batches(inputs)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._batches, None)


def to_int8(
    model: onnx.ModelProto, calibration: dict[str, NDArray[Any]], early_weights: int = EARLY_WEIGHTS
) -> onnx.ModelProto:
    """Quantize with ranges measured on `calibration` (a few hundred users, inputs by contract name).

    In fp32 stay the leading convolutions that together have at most `early_weights`; sums, products and
    concatenations, which would round the same feature map once more at every residual and dense connection;
    the gate and the logit, which are small and on which every decision hangs; and in the text tower
    whatever lies between the matrix products: normalised activations have outliers that eight bits cannot hold.
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
            _Rows(calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=excluded,
        )
        return _tidied(onnx.load(quantized))


def _batches(inputs: dict[str, NDArray[Any]]) -> Iterator[dict[str, NDArray[Any]]]:
    rows = len(next(iter(inputs.values())))
    for start in range(0, rows, _BATCH):
        yield {name: array[start : start + _BATCH] for name, array in inputs.items()}


def _tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without what only the tools needed: shapes between nodes, operator sets that no node uses."""
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
    return early + [node.name for node in graph.node if _is_delicate(node)]


def _is_delicate(node: onnx.NodeProto) -> bool:
    # Keras may add a number to each part of a path.
    layers = {part.rstrip("_0123456789") for part in node.name.split("/")}
    if "text_tower" in layers:
        return node.op_type not in ("MatMul", "Gemm", "Gather")
    return node.op_type in ("Add", "Mul", "Concat") or not layers.isdisjoint({"fusion", "gender", "calibration"})
