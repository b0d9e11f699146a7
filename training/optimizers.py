"""AdamW (Loshchilov and Hutter, 2019, arXiv 1711.05101) with a slower pace for pretrained parts."""

from collections.abc import Collection, Sequence
from typing import Any

import keras


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


def paces_of(model: keras.Model, pretrained: Collection[keras.Model], pace: float) -> list[float]:
    """`pace` for the variables of the pretrained parts of a model, 1 for all others.

    By the variables themselves: their paths do not name the models around their layers.
    """
    slow = {id(variable) for part in pretrained for variable in part.trainable_variables}
    return [pace if id(variable) in slow else 1.0 for variable in model.trainable_variables]
