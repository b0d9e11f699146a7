"""AdamW with gradient centralization (Yong et al., 2020, https://arxiv.org/abs/2004.01461).

A kernel's gradient, or its update, loses its mean over the inputs of each output (equation 1). A centralized update
keeps the sum of each output's weights. With plain gradient descent, both are the same. Adam scales each weight's
gradient, so the authors' code recommends to centralize the update (`gc_loc=False`).
"""

from collections.abc import Sequence
from typing import Any, Final

import keras
from keras import ops

from .lr_multiplier_adamw import LRMultiplierAdamW

GRADIENT: Final = "gradient"
UPDATE: Final = "update"


@keras.saving.register_keras_serializable("gender")
class GCAdamW(LRMultiplierAdamW):
    """`LRMultiplierAdamW` with gradient centralization. The decoupled weight decay is not centralized.

    Args:
        axes: One tuple of axes per variable, in the order of the model's `trainable_variables`; see
            `centralized_axes`.
        centralized: `gradient`, before Adam's moments, or `update`, after them.

    Raises:
        ValueError: `centralized` is neither, or, when built, the numbers of variables and axes tuples differ.
    """

    def __init__(self, *args: Any, axes: Sequence[Sequence[int]], centralized: str = GRADIENT, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if centralized not in (GRADIENT, UPDATE):
            raise ValueError(f"expected centralized to be {GRADIENT!r} or {UPDATE!r}, got {centralized!r}")
        self.axes, self.centralized = [tuple(each) for each in axes], centralized

    def build(self, variables: list[Any]) -> None:
        if len(variables) != len(self.axes):
            raise ValueError(
                f"expected one axes tuple per variable, got {len(self.axes)} for {len(variables)} variables"
            )
        super().build(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        axes = self.axes[self._get_variable_index(variable)]
        if self.centralized == GRADIENT or not axes:
            super().update_step(centralize(gradient, axes), variable, learning_rate)
            return
        before = ops.copy(variable)
        super().update_step(gradient, variable, learning_rate)
        self.assign(variable, before + centralize(variable - before, axes))

    def _parallel_update_step(self, gradients: list[Any], variables: list[Any], learning_rate: Any) -> None:
        for gradient, variable in zip(gradients, variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def get_config(self) -> dict[str, Any]:
        own = {"axes": [list(each) for each in self.axes], "centralized": self.centralized}
        return {**super().get_config(), **own}


def centralize(values: Any, axes: Sequence[int]) -> Any:
    """Subtract the mean over `axes`. Without axes, return the values as they are: an embedding's stay sparse."""
    return values - ops.mean(values, axis=tuple(axes), keepdims=True) if axes else values


def centralized_axes(model: keras.Model) -> list[tuple[int, ...]]:
    """Return for each trainable variable the axes that one output sums over; empty for everything but kernels.

    The layers decide. By shape alone, a kernel looks like an embedding or a two-dimensional bias of attention.
    """
    fan_in = {id(layer.kernel): axes for layer in model._flatten_layers() if (axes := _fan_in(layer))}
    return [fan_in.get(id(variable), ()) for variable in model.trainable_variables]


def _fan_in(layer: keras.layers.Layer) -> tuple[int, ...]:
    match layer:
        case keras.layers.Dense():
            return (0,)
        case keras.layers.Conv2D():
            return (0, 1, 2)
        case keras.layers.DepthwiseConv2D():
            return (0, 1)
        case keras.layers.EinsumDense():
            return _summed_axes(layer.equation)
        case _:
            return ()


def _summed_axes(equation: str) -> tuple[int, ...]:
    """Return the kernel axes that an einsum sums over: `"abc,cde->abde"`, an attention's query, gives `(0,)`."""
    kernel, output = equation.split(",")[1].split("->")
    return tuple(axis for axis, letter in enumerate(kernel) if letter not in output)
