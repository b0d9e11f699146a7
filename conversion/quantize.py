"""fp32 ONNX to int8: static, QDQ, per channel, u8 activations and s8 weights.

u8 with s8 is what the VNNI instructions of CPUs multiply; per channel because the ranges of depthwise
channels differ too much for one scale (arXiv 1806.08342).
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class _Rows(CalibrationDataReader):
    def __init__(self, inputs: dict[str, NDArray[Any]], batch: int) -> None:
        self._batches = self._slices(inputs, batch)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._batches, None)

    @staticmethod
    def _slices(inputs: dict[str, NDArray[Any]], batch: int) -> Iterator[dict[str, NDArray[Any]]]:
        rows = len(next(iter(inputs.values())))
        for start in range(0, rows, batch):
            yield {name: array[start : start + batch] for name, array in inputs.items()}


def to_int8(model: onnx.ModelProto, calibration: dict[str, NDArray[Any]]) -> onnx.ModelProto:
    """Quantize with ranges measured on `calibration` (a few hundred users, inputs by contract name).

    In fp32 stay the first convolution, the gate and the logit, which are small and on which every decision
    hangs, and in the text tower whatever lies between the matrix products: normalised activations have
    outliers that eight bits cannot hold.
    """
    with tempfile.TemporaryDirectory() as folder:
        original, prepared, quantized = (Path(folder, name) for name in ("fp32.onnx", "prepared.onnx", "int8.onnx"))
        onnx.save(model, original)
        quant_pre_process(str(original), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(quantized),
            _Rows(calibration, batch=16),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=_kept_in_fp32(onnx.load(prepared).graph),
        )
        return _tidied(onnx.load(quantized))


def _tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without what only the tools needed: shapes between nodes, operator sets that no node uses."""
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    return model


def _kept_in_fp32(graph: onnx.GraphProto) -> list[str]:
    first_convolution = [node.name for node in graph.node if node.op_type == "Conv"][:1]
    return first_convolution + [node.name for node in graph.node if _is_delicate(node)]


def _is_delicate(node: onnx.NodeProto) -> bool:
    # Keras may add a number to each part of a path.
    layers = {part.rstrip("_0123456789") for part in node.name.split("/")}
    if "text_tower" in layers:
        return node.op_type not in ("MatMul", "Gemm", "Gather")
    return not layers.isdisjoint({"fusion", "gender", "calibration"})
