"""Choose the scale at which each activation of the image tower is stored in 8 bits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from training.arrays import Arrays

from .folding import attribute
from .graph import Graph, Tensor

# A value per channel, [C].
Channels = NDArray[np.float32]

_LEVELS: Final = 255
_SMALLEST: Final = np.float32(1e-6)
# The outputs of these are values of their inputs, so both have one scale.
_MOVES: Final = ("Concat", "MaxPool", "Flatten")


@dataclass(frozen=True)
class Range:
    """The smallest, the largest and the mean value of each channel."""

    low: Channels
    high: Channels
    mean: Channels

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> "Range":
        """Return the range of the channels of `[B, C, …]`."""
        axes = (0, *range(2, values.ndim))
        return cls(values.min(axes), values.max(axes), values.mean(axes))

    @classmethod
    def over(cls, batches: list["Range"]) -> "Range":
        """Return the range over batches of the same size."""
        low, high, mean = (np.array([getattr(each, name) for each in batches]) for name in ("low", "high", "mean"))
        return cls(low.min(axis=0), high.max(axis=0), mean.mean(axis=0))


@dataclass(frozen=True)
class Scale:
    """The level q of channel c means gain[c] · step · (q − zero) + offset[c].

    A graph states step and zero; gain and offset are moved into the weights before and after. `mean` is the mean of
    step · (q − zero).
    """

    step: float
    zero: int
    gain: Channels
    offset: Channels
    mean: Channels

    @classmethod
    def of_tensor(cls, limits: tuple[float, float], own: Range) -> "Scale":
        """Return a scale that all channels share, with a level for 0, because padding is 0."""
        low, high = min(limits[0], 0.0), max(limits[1], float(_SMALLEST))
        step = (high - low) / _LEVELS
        return cls(step, round(-low / step), np.ones_like(own.low), np.zeros_like(own.low), own.mean)

    @classmethod
    def of_channels(cls, own: Range, padded: bool) -> "Scale":
        """Return a scale for each channel. With padding, level 0 means 0, so no value may be negative."""
        offset = np.zeros_like(own.low) if padded else own.low
        gain = np.maximum((own.high - offset) / _LEVELS, _SMALLEST)
        return cls(1.0, 0, gain, offset, (own.mean - offset) / gain)

    @classmethod
    def joined(cls, parts: list["Scale"]) -> "Scale":
        """Return the scale of concatenated channels, each with a scale of its own."""
        gain, offset, mean = (np.concatenate([getattr(p, name) for p in parts]) for name in ("gain", "offset", "mean"))
        return cls(parts[0].step, parts[0].zero, gain, offset, mean)


def measure_ranges(model: onnx.ModelProto, tensors: list[Tensor], batches: Iterable[Arrays]) -> dict[Tensor, Range]:
    """Run a model and return the range of each of the tensors, `[B, C, …]`, over all batches."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in tensors)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = [[Range.of(values) for values in session.run(tensors, batch)] for batch in batches]
    return {name: Range.over(list(ranges)) for name, ranges in zip(tensors, zip(*seen, strict=True), strict=True)}


def choose_scales(graph: Graph, ranges: Mapping[Tensor, Range]) -> dict[Tensor, Scale]:
    """Return the scale of every tensor in `ranges`, whose order is that of the graph.

    Concatenated tensors share a scale, so that no value is rounded twice. Where only depthwise convolutions read a
    tensor, each channel has a scale of its own: the weights of those convolutions undo it at no cost.
    """
    readers = graph.readers()
    scales: dict[Tensor, Scale] = {}
    for group in _groups(graph, ranges):
        reading = [node for name in group for node in readers[name] if node.op_type not in _MOVES]
        padded = any(any(attribute(node, "pads", [])) for node in reading)
        sources = [name for name in group if graph.source(name).op_type not in _MOVES]
        limits = (
            float(min(ranges[name].low.min() for name in sources)),
            float(max(ranges[name].high.max() for name in sources)),
        )
        by_channel = all(attribute(node, "group", 1) > 1 for node in reading) and not (padded and limits[0] < 0)
        for name in group:
            source = graph.source(name)
            if source.op_type == "DequantizeLinear":
                scales[name] = _of_pixels(graph, source, ranges[name])
            elif not by_channel:
                scales[name] = Scale.of_tensor(limits, ranges[name])
            elif name in sources:
                scales[name] = Scale.of_channels(ranges[name], padded)
            else:
                scales[name] = Scale.joined([scales[each] for each in source.input])
    return scales


def _of_pixels(graph: Graph, source: onnx.NodeProto, own: Range) -> Scale:
    """Return the scale of the pixels, which are stored in 8 bits already."""
    step, zero = (graph.constants[name] for name in source.input[1:])
    return Scale(float(step), int(zero), np.ones_like(own.low), np.zeros_like(own.low), own.mean)


def _groups(graph: Graph, tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    """Return the tensors by the scale they share, each group in the order of the graph."""
    group_of: dict[Tensor, list[Tensor]] = {}
    for name in tensors:
        group = [name]
        source = graph.source(name)
        for other in source.input if source.op_type in _MOVES else ():
            if group_of[other] is not group:
                group[:0] = group_of[other]
                group_of |= dict.fromkeys(group_of[other], group)
        group_of |= dict.fromkeys(group, group)
    return list({id(group): group for group in group_of.values()}.values())
