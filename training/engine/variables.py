"""Create the variables of a compiled model before its first training step."""

from typing import Any

import keras


def create_variables(model: keras.Model, inputs: Any, targets: Any, *sample_weight: Any) -> None:
    """Create the variables of the optimizer, the losses and the metrics, from the first row of a batch.

    Otherwise Keras creates them in the first step, and TensorFlow then traces this step a second time.
    """
    row, *others = keras.tree.map_structure(
        lambda array: keras.ops.convert_to_tensor(array[:1]), (inputs, targets, *sample_weight)
    )
    outputs = model(row)
    model.compute_loss(row, others[0], outputs, *others[1:])
    model.compute_metrics(row, others[0], outputs, *others[1:])
    model.reset_metrics()
    model.optimizer.build(model.trainable_variables)
