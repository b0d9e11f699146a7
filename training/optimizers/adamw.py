"""AdamW (Loshchilov and Hutter, 2019, arXiv 1711.05101) with a slower pace for pretrained parts.

Optionally with gradient centralization (Yong et al., 2020, arXiv 2004.01461): a gradient loses its mean over the
inputs of each output, so that plain gradient descent would keep the sum of each output's weights.
"""

from collections.abc import Collection, Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("gender")
class PacedAdamW(keras.optimizers.AdamW):
    """AdamW whose learning rate has a multiplier for each variable.

    `paces` are in the order of the model's `trainable_variables`, as `paces_of` gives them. Weight decay
    keeps the full rate.

    Raises:
        ValueError: when built, there are not as many variables as paces.
    """

    def __init__(self, *args: Any, paces: Sequence[float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.paces = list(paces)

    def build(self, variables: list[Any]) -> None:
        if len(variables) != len(self.paces):
            raise ValueError(f"one pace for each variable: got {len(self.paces)} paces, {len(variables)} variables")
        super().build(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        pace = self.paces[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * pace)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "paces": self.paces}


@keras.saving.register_keras_serializable("gender")
class GCAdamW(PacedAdamW):
    """`PacedAdamW` on centralized gradients; weight decay, decoupled, is not centralized.

    `axes` are in the order of the model's `trainable_variables`, as `centralized_axes` gives them.

    Raises:
        ValueError: when built, there are not as many variables as axes.
    """

    def __init__(self, *args: Any, axes: Sequence[Sequence[int]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.axes = [tuple(each) for each in axes]

    def build(self, variables: list[Any]) -> None:
        if len(variables) != len(self.axes):
            raise ValueError(f"axes for each variable: got those of {len(self.axes)}, {len(variables)} variables")
        super().build(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        axes = self.axes[self._get_variable_index(variable)]
        super().update_step(centralize(gradient, axes), variable, learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": [list(each) for each in self.axes]}


def centralize(gradient: Any, axes: Sequence[int]) -> Any:
    """A gradient less its mean over `axes`; with none, as it is (an embedding's stays sparse)."""
    return gradient - ops.mean(gradient, axis=tuple(axes), keepdims=True) if axes else gradient


def centralized_axes(model: keras.Model) -> list[tuple[int, ...]]:
    """For each trainable variable, the axes of a kernel over which one output sums; none for all others.

    By the layers: shapes do not tell a kernel from the two-dimensional biases of attention or an embedding.
    """
    fan_in = {id(layer.kernel): axes for layer in model._flatten_layers() if (axes := _fan_in(layer))}
    return [fan_in.get(id(variable), ()) for variable in model.trainable_variables]


def paces_of(model: keras.Model, pretrained: Collection[keras.layers.Layer], pace: float) -> list[float]:
    """`pace` for the variables of the pretrained parts of a model, 1 for all others.

    By the variables themselves: their paths do not name the models around their layers.
    """
    slow = {id(variable) for part in pretrained for variable in part.trainable_variables}
    return [pace if id(variable) in slow else 1.0 for variable in model.trainable_variables]


def _fan_in(layer: keras.layers.Layer) -> tuple[int, ...]:
    match layer:
        case keras.layers.Dense():
            return (0,)
        case keras.layers.Conv2D():
            return (0, 1, 2)
        case keras.layers.DepthwiseConv2D():
            return (0, 1)
        case keras.layers.EinsumDense():
            return _summed(layer.equation)
        case _:
            return ()


def _summed(equation: str) -> tuple[int, ...]:
    """The axes of a kernel that an einsum sums over: `"abc,cde->abde"`, an attention's query, gives (0,)."""
    kernel, output = equation.split(",")[1].split("->")
    return tuple(axis for axis, letter in enumerate(kernel) if letter not in output)
