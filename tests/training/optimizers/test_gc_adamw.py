"""`GCAdamW` removes the mean from the gradients of kernels."""

from typing import Any

import keras
import numpy as np
import pytest

from tests.support.training.keras_objects import from_own_config
from tests.support.training.stand_in import small_towers
from tests.support.training.updates import GRADIENT, START, updates
from training.gender.model import build_fused_model
from training.layers import CBAM
from training.optimizers.gc_adamw import GRADIENT as ON_GRADIENT
from training.optimizers.gc_adamw import UPDATE, GCAdamW, centralize, centralized_axes
from training.optimizers.lr_multiplier_adamw import LRMultiplierAdamW


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_centralize_subtracts_the_mean(dtype: str) -> None:
    centered = centralize(keras.ops.convert_to_tensor(GRADIENT, dtype), (0,))
    assert keras.backend.standardize_dtype(centered.dtype) == dtype
    np.testing.assert_allclose(centered, [[1.25, -0.95, -1.5], [-1.25, 0.95, 1.5]], atol=1e-2)
    assert centralize(GRADIENT, ()) is GRADIENT


def test_axes_of_each_kind_of_layer() -> None:
    image, ids = keras.Input((8, 8, 4)), keras.Input((6,), dtype="int32")
    x = keras.layers.Conv2D(16, 3, name="convolution")(image)
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(keras.layers.BatchNormalization(name="norm")(x))
    x = keras.layers.GlobalAveragePooling2D()(CBAM(ratio=4, name="cbam")(x))
    steps = keras.layers.Embedding(9, 8, name="embedding")(ids)
    steps = keras.layers.MultiHeadAttention(2, 4, name="attention")(steps, steps)
    both = keras.layers.Concatenate()([x, keras.layers.GlobalAveragePooling1D()(steps)])
    model = keras.Model([image, ids], keras.layers.Dense(1, name="dense")(both))
    paths = ["/".join(variable.path.split("/")[-2:]) for variable in model.trainable_variables]
    axes = dict(zip(paths, centralized_axes(model), strict=True))
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


def test_every_kernel_of_the_gender_model_has_axes() -> None:
    with small_towers():
        model = build_fused_model("densenet121", cbam=True, hand_features=True)
    for variable, axes in zip(model.trainable_variables, centralized_axes(model), strict=True):
        assert bool(axes) == (variable.name == "kernel")


@pytest.mark.parametrize("centralized", [ON_GRADIENT, UPDATE])
def test_only_variables_with_axes_move_without_their_mean(centralized: str) -> None:
    """With a large epsilon, Adam's step is nearly proportional to the gradient."""
    settings: dict[str, Any] = {"weight_decay": 0.0, "epsilon": 1e6, "lr_multipliers": [1.0, 1.0]}
    free, _ = updates(LRMultiplierAdamW(1e5, **settings), 2)
    centered, untouched = updates(GCAdamW(1e5, axes=[(0,), ()], centralized=centralized, **settings), 2)
    np.testing.assert_array_equal(untouched, free)
    np.testing.assert_allclose(centered.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(centered, free - free.mean(axis=0), atol=1e-6)
    assert np.abs(free.mean(axis=0)).min() > 1e-3


def test_gradient_descent_keeps_the_sum_of_each_output() -> None:
    kernel, sgd = keras.Variable(START), keras.optimizers.SGD(0.1)
    for _ in range(5):
        sgd.apply([centralize(keras.ops.convert_to_tensor(GRADIENT), (0,))], [kernel])
    moved = keras.ops.convert_to_numpy(kernel)
    assert np.abs(moved - START).max() > 0.1
    np.testing.assert_allclose(moved.sum(axis=0), START.sum(axis=0), atol=1e-5)


@pytest.mark.parametrize(("centralized", "keeps"), [(ON_GRADIENT, False), (UPDATE, True)])
def test_adam_keeps_the_sum_of_each_output_if_its_update_is_centralized(centralized: str, keeps: bool) -> None:
    settings: dict[str, Any] = {"weight_decay": 0.0, "lr_multipliers": [1.0, 1.0]}
    moved, _ = updates(GCAdamW(0.1, axes=[(1,), ()], centralized=centralized, **settings), 2)
    assert np.abs(moved).max() > 0.01
    assert (np.abs(moved.sum(axis=1)).max() < 1e-6) == keeps


def test_centralized_is_gradient_or_update() -> None:
    with pytest.raises(ValueError, match="expected centralized to be 'gradient' or 'update', got 'loss'"):
        GCAdamW(0.01, lr_multipliers=[1.0], axes=[(0,)], centralized="loss")


def test_numbers_of_axes_and_variables_must_agree() -> None:
    with pytest.raises(ValueError, match="expected one axes tuple per variable, got 1 for 2 variables"):
        updates(GCAdamW(0.01, lr_multipliers=[1.0, 1.0], axes=[(0,)]), 2)


def test_axes_survive_serialization() -> None:
    optimizer = from_own_config(GCAdamW(0.01, lr_multipliers=[0.1, 1.0], axes=[(0, 1, 2), ()], centralized=UPDATE))
    assert (optimizer.lr_multipliers, optimizer.axes) == ([0.1, 1.0], [(0, 1, 2), ()])
    assert optimizer.centralized == UPDATE
