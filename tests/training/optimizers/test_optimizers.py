"""`LRMultiplierAdamW` is AdamW, slower where told; `GCAdamW` takes the mean off the gradients of kernels."""

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.training.stand_in import small_towers
from training.gender.model import build_fused_model
from training.layers import CBAM
from training.optimizers.gc_adamw import GCAdamW, centralize, centralized_axes
from training.optimizers.lr_multiplier_adamw import LRMultiplierAdamW, lr_multipliers

START = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
GRADIENT = np.array([[3, -2, 1], [0.5, -0.1, 4]], np.float32)


def updates(optimizer: keras.optimizers.Optimizer, count: int, steps: int = 1) -> list[NDArray[np.float32]]:
    variables = [keras.Variable(START, name=f"kernel_{index}") for index in range(count)]
    for _ in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(GRADIENT)] * count, variables)
    return [keras.ops.convert_to_numpy(each) - START for each in variables]


def nested_model() -> tuple[keras.Model, keras.Model]:
    """A model and the part inside it that is pretrained; the layers of both are named alike."""
    inner = keras.Input((3,))
    trunk = keras.Model(inner, keras.layers.Dense(3, name="projection")(inner), name="trunk")
    outer = keras.Input((3,))
    return keras.Model(outer, keras.layers.Dense(1, name="projection")(trunk(outer))), trunk


@pytest.mark.parametrize("steps", [1, 5])
def test_at_full_pace_it_is_adamw(steps: int) -> None:
    (plain,) = updates(keras.optimizers.AdamW(0.01, weight_decay=0.1), 1, steps)
    (paced,) = updates(LRMultiplierAdamW(0.01, weight_decay=0.1, lr_multipliers=[1.0]), 1, steps)
    np.testing.assert_allclose(paced, plain, atol=1e-7)


def test_each_variable_has_its_own_pace() -> None:
    (plain,) = updates(keras.optimizers.AdamW(0.01, weight_decay=0.0), 1)
    slow, full, none = updates(LRMultiplierAdamW(0.01, weight_decay=0.0, lr_multipliers=[0.1, 1.0, 0.0]), 3)
    np.testing.assert_allclose(slow, 0.1 * plain, atol=1e-7)
    np.testing.assert_allclose(full, plain, atol=1e-7)
    np.testing.assert_array_equal(none, 0)


def test_paces_belong_to_parts_not_to_names() -> None:
    model, trunk = nested_model()
    assert lr_multipliers(model, [trunk], 0.1) == [0.1, 0.1, 1.0, 1.0]
    assert lr_multipliers(model, [], 0.1) == [1.0] * 4


def test_paces_hold_inside_a_compiled_training_step() -> None:
    keras.utils.set_random_seed(1)
    model, trunk = nested_model()
    before = [w.numpy() for w in model.trainable_variables]
    model.compile(
        LRMultiplierAdamW(0.01, weight_decay=0.0, lr_multipliers=lr_multipliers(model, [trunk], 0.0)), loss="mse"
    )
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
    moved = [np.abs(w.numpy() - old).max() > 0 for w, old in zip(model.trainable_variables, before, strict=True)]
    assert moved == [False, False, True, True]


def test_as_many_paces_as_variables() -> None:
    with pytest.raises(ValueError, match="got 1 for 2 variables"):
        updates(LRMultiplierAdamW(0.01, lr_multipliers=[1.0]), 2)


def test_paces_survive_saving() -> None:
    optimizer = LRMultiplierAdamW(0.01, weight_decay=0.2, lr_multipliers=[0.1, 1.0])
    config: dict[str, Any] = optimizer.get_config()
    again = LRMultiplierAdamW.from_config(config)
    assert (again.lr_multipliers, again.weight_decay) == ([0.1, 1.0], 0.2)
    registered = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert registered.get_config() == config


def axes_by_name(model: keras.Model) -> dict[str, tuple[int, ...]]:
    """Axes by the end of each variable's path."""
    paths = ["/".join(variable.path.split("/")[-2:]) for variable in model.trainable_variables]
    return dict(zip(paths, centralized_axes(model), strict=True))


def test_centralize_takes_the_mean_off() -> None:
    centred = keras.ops.convert_to_numpy(centralize(GRADIENT, (0,)))
    np.testing.assert_allclose(centred, [[1.25, -0.95, -1.5], [-1.25, 0.95, 1.5]])
    assert centralize(GRADIENT, ()) is GRADIENT


def test_centralize_in_half_precision() -> None:
    centred = centralize(keras.ops.convert_to_tensor(GRADIENT, "float16"), (0,))
    assert keras.backend.standardize_dtype(centred.dtype) == "float16"
    np.testing.assert_allclose(np.sum(centred, axis=0), 0, atol=1e-3)


def test_axes_of_each_kind_of_layer() -> None:
    image, ids = keras.Input((8, 8, 4)), keras.Input((6,), dtype="int32")
    x = keras.layers.Conv2D(16, 3, name="convolution")(image)
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(keras.layers.BatchNormalization(name="norm")(x))
    x = keras.layers.GlobalAveragePooling2D()(CBAM(ratio=4, name="cbam")(x))
    steps = keras.layers.Embedding(9, 8, name="embedding")(ids)
    steps = keras.layers.MultiHeadAttention(2, 4, name="attention")(steps, steps)
    both = keras.layers.Concatenate()([x, keras.layers.GlobalAveragePooling1D()(steps)])
    axes = axes_by_name(keras.Model([image, ids], keras.layers.Dense(1, name="dense")(both)))
    kernels = {
        "convolution/kernel": (0, 1, 2),
        "depthwise/kernel": (0, 1),
        "query/kernel": (0,),
        "key/kernel": (0,),
        "value/kernel": (0,),
        "attention_output/kernel": (0, 1),
        "dense/kernel": (0,),
    }
    assert {path: axes.get(path) for path in kernels} == kernels
    assert not any(each for path, each in axes.items() if not path.endswith("kernel"))
    assert axes["query/bias"] == axes["embedding/embeddings"] == axes["norm/gamma"] == ()


def test_every_kernel_of_the_whole_model_has_axes() -> None:
    with small_towers():
        model = build_fused_model("densenet121", cbam=True, hand_features=True)
    named = zip(model.trainable_variables, centralized_axes(model), strict=True)
    assert all(bool(axes) == (variable.name == "kernel") for variable, axes in named)


def test_kernels_move_without_their_mean_and_others_as_before() -> None:
    """So large an epsilon leaves Adam's step all but proportional to the gradient."""
    settings: dict[str, Any] = {"weight_decay": 0.0, "epsilon": 1e6, "lr_multipliers": [1.0, 1.0]}
    free, _ = updates(LRMultiplierAdamW(1e5, **settings), 2)
    centred, untouched = updates(GCAdamW(1e5, axes=[(0,), ()], **settings), 2)
    np.testing.assert_array_equal(untouched, free)
    np.testing.assert_allclose(centred.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(centred, free - free.mean(axis=0), atol=1e-6)
    assert np.abs(free.mean(axis=0)).min() > 1e-3


def test_plain_gradient_descent_keeps_the_sum_of_each_output() -> None:
    kernel, sgd = keras.Variable(START), keras.optimizers.SGD(0.1)
    for _ in range(5):
        sgd.apply([centralize(keras.ops.convert_to_tensor(GRADIENT), (0,))], [kernel])
    moved = keras.ops.convert_to_numpy(kernel)
    assert np.abs(moved - START).max() > 0.1
    np.testing.assert_allclose(moved.sum(axis=0), START.sum(axis=0), atol=1e-5)


def test_without_axes_it_is_paced_adamw() -> None:
    (paced,) = updates(LRMultiplierAdamW(0.01, weight_decay=0.1, lr_multipliers=[0.5]), 1, 3)
    (same,) = updates(GCAdamW(0.01, weight_decay=0.1, lr_multipliers=[0.5], axes=[()]), 1, 3)
    np.testing.assert_array_equal(same, paced)


def test_as_many_axes_as_variables() -> None:
    with pytest.raises(ValueError, match="one axes tuple per variable, got 1 for 2 variables"):
        updates(GCAdamW(0.01, lr_multipliers=[1.0, 1.0], axes=[(0,)]), 2)


def test_axes_survive_saving() -> None:
    optimizer = GCAdamW(0.01, lr_multipliers=[0.1, 1.0], axes=[(0, 1, 2), ()])
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert (again.lr_multipliers, again.axes) == ([0.1, 1.0], [(0, 1, 2), ()])
    assert again.get_config() == optimizer.get_config()
