"""AdamW (Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101) with one learning rate per variable."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import keras

# What Keras makes of `AdamW` on this backend. On PyTorch, it updates all variables in a few calls.
_AdamW: Final[Any] = type(keras.optimizers.AdamW())


@keras.saving.register_keras_serializable("gender")
class LRMultiplierAdamW(_AdamW):
    """AdamW that multiplies the learning rate of each variable, for example to fine-tune pretrained layers slowly.

    Weight decay keeps the full rate.

    Args:
        lr_multipliers: One factor per variable, in the order of the model's `trainable_variables`.

    Raises:
        ValueError: When built, if the numbers of variables and multipliers differ.
    """

    def __init__(self, *args: Any, lr_multipliers: Sequence[float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lr_multipliers = list(lr_multipliers)

    def build(self, variables: list[Any]) -> None:
        if len(variables) != len(self.lr_multipliers):
            raise ValueError(
                f"expected one multiplier per variable, got {len(self.lr_multipliers)} for {len(variables)} variables"
            )
        super().build(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        multiplier = self.lr_multipliers[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * multiplier)

    def _parallel_update_step(self, gradients: list[Any], variables: list[Any], learning_rate: Any) -> None:
        """Update the variables of each multiplier together; PyTorch only."""
        groups: dict[float, list[tuple[Any, Any]]] = {}
        for gradient, variable in zip(gradients, variables, strict=True):
            groups.setdefault(self.lr_multipliers[self._get_variable_index(variable)], []).append((gradient, variable))
        for multiplier, group in groups.items():
            super()._parallel_update_step(*map(list, zip(*group, strict=True)), learning_rate * multiplier)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "lr_multipliers": self.lr_multipliers}


def lr_multipliers(model: keras.Model, layers: Mapping[float, Collection[keras.layers.Layer]]) -> list[float]:
    """Return the product of the factors of the layers that contain each trainable variable; 1 without such a layer.

    Variables are matched by identity: their paths do not name the models that contain their layers.

    Args:
        layers: The layers by factor.
    """
    multipliers = dict.fromkeys(map(id, model.trainable_variables), 1.0)
    for factor, each in layers.items():
        for variable in {id(variable) for layer in each for variable in layer.trainable_variables}:
            multipliers[variable] *= factor
    return list(multipliers.values())
