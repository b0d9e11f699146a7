"""AdamW (Loshchilov and Hutter, 2019, arXiv 1711.05101) with a slower pace for pretrained parts."""

from collections.abc import Mapping
from typing import Any

import keras


@keras.saving.register_keras_serializable("gender")
class PacedAdamW(keras.optimizers.AdamW):
    """AdamW whose learning rate is multiplied for variables below a named part of the model.

    `paces` maps a name within the variable's path, such as `"trunk"`, to the multiplier. Weight decay keeps
    the full rate.
    """

    def __init__(self, *args: Any, paces: Mapping[str, float] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.paces = dict(paces or {})

    def build(self, variables: list[Any]) -> None:
        super().build(variables)
        self._pace_of = [self.pace(variable.path) for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        # By index, as Keras finds the moments: some backends pass their own variable, which has no path.
        pace = self._pace_of[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * pace)

    def pace(self, path: str) -> float:
        """The multiplier for a variable path: that of the first named part in it, else 1."""
        parts = path.split("/")
        return next((pace for name, pace in self.paces.items() if name in parts), 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "paces": self.paces}
