"""The mask loss keeps the examples outside the band, rescales them, and starts late."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tests.support.training.keras_objects import from_own_config
from training.losses.late_mask import LateMask, MaskedCrossentropy, MaskSchedule, coverage, outside_band

Floats = NDArray[np.float32]

# The article's example.
P_FEMALE: Floats = np.array([0.81, 0.7, 0.4, 0.19, 0.3, 0.7], np.float32)
LOGITS: Floats = np.log(P_FEMALE / (1 - P_FEMALE))
LABELS: Floats = np.array([1, 1, 0, 0, 1, 0], np.float32)
WEIGHTS: Floats = np.array([1, 2, 0.5, 3, 0, 1], np.float32)


def active(low: float = 0.2, high: float = 0.8, min_coverage: float = 0.3, smoothing: float = 0.0) -> Any:
    loss = LateMask(low, high, min_coverage).build(smoothing)
    loss.active = True
    return loss


def plain(smoothing: float = 0.0) -> Any:
    return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)


def slow(labels: Floats, weights: Floats, smoothing: float) -> float:
    """Weighted cross-entropy over the kept examples, divided by the coverage, one example at a time."""
    kept = [p < 0.2 or p > 0.8 for p in P_FEMALE]
    total = 0.0
    for label, p, weight, keep in zip(labels, P_FEMALE, weights, kept, strict=True):
        target = label * (1 - smoothing) + smoothing / 2
        total -= keep * weight * float(target * np.log(p) + (1 - target) * np.log(1 - p))
    return total / len(labels) / float(weights[kept].sum() / weights.sum())


def test_article_example() -> None:
    keep = keras.ops.convert_to_numpy(outside_band(P_FEMALE, 1 - 0.8, 0.8))
    assert keep.tolist() == [True, False, False, True, False, False]
    assert float(active()(LABELS, LOGITS)) == pytest.approx(0.210721, abs=1e-6)
    assert float(active()(LABELS, LOGITS)) == pytest.approx(float(plain()(LABELS[[0, 3]], LOGITS[[0, 3]])), abs=1e-6)
    assert coverage(LABELS, LOGITS, 0.2, 0.8).numpy().tolist() == [1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("probability", [0.2, 0.8])
def test_both_ends_belong_to_the_band(probability: float) -> None:
    assert not outside_band(np.array([probability], np.float32), 1 - 0.8, 0.8)[0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [np.ones_like(WEIGHTS), WEIGHTS], ids=["equal", "weighted"])
def test_loss_equals_a_loop(weights: Floats, smoothing: float) -> None:
    loss = float(active(smoothing=smoothing)(LABELS, LOGITS, weights))
    assert loss == pytest.approx(slow(LABELS, weights, smoothing), abs=1e-6)


def test_vectors_and_columns_are_equivalent() -> None:
    column = active()(LABELS[:, None], LOGITS[:, None], WEIGHTS[:, None])
    assert column.shape == ()
    for labels, logits, weights in (
        (LABELS, LOGITS, WEIGHTS),
        (LABELS, LOGITS[:, None], WEIGHTS),
        (LABELS[:, None], LOGITS, WEIGHTS[:, None]),
    ):
        assert float(active()(labels, logits, weights)) == float(column)


def test_weight_0_does_not_affect_coverage() -> None:
    weights: Floats = np.array([1, 1, 0, 1, 0, 0], np.float32)
    assert float(active(min_coverage=0.6)(LABELS, LOGITS, weights)) == pytest.approx(slow(LABELS, weights, 0), abs=1e-6)


@pytest.mark.parametrize(("low", "high", "min_coverage"), [(0.01, 0.99, 0.3), (0.2, 0.8, 0.9)])
def test_batch_of_low_coverage_is_not_masked(low: float, high: float, min_coverage: float) -> None:
    loss = float(active(low, high, min_coverage, smoothing=0.1)(LABELS, LOGITS, WEIGHTS))
    assert loss == pytest.approx(float(plain(0.1)(LABELS[:, None], LOGITS[:, None], WEIGHTS)), abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "weights"),
    [
        (active(0.01, 0.99, min_coverage=0.0), np.ones(6)),
        (active(min_coverage=0.0), np.zeros(6)),
        (active(min_coverage=0.3), np.zeros(6)),
    ],
    ids=["no example kept", "no weight", "no weight with a guard"],
)
def test_nothing_to_learn_is_loss_0(loss: Any, weights: Floats) -> None:
    assert float(loss(LABELS, LOGITS, weights)) == 0


def test_band_has_no_gradient() -> None:
    logits = tf.Variable(LOGITS[:, None])
    with tf.GradientTape() as tape:
        loss = active()(LABELS, logits)
    gradient = keras.ops.convert_to_numpy(tape.gradient(loss, logits))[:, 0]
    np.testing.assert_allclose(gradient, np.where([1, 0, 0, 1, 0, 0], (P_FEMALE - LABELS) / 2, 0), atol=1e-6)


def test_inactive_loss_is_plain_cross_entropy() -> None:
    expected = float(plain(0.05)(LABELS[:, None], LOGITS[:, None], WEIGHTS))
    assert float(MaskedCrossentropy(label_smoothing=0.05)(LABELS, LOGITS, WEIGHTS)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 0.7, "high": 0.6}, "low=0.7, high=0.6"),
        ({"low": -0.1}, "low=-0.1, high=0.6"),
        ({"min_coverage": 1.1}, "between 0 and 1, got 1.1"),
    ],
)
def test_invalid_band_is_an_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskedCrossentropy(**arguments)


def test_loss_survives_serialization() -> None:
    loss = from_own_config(MaskedCrossentropy(0.1, 0.7, 0.2, 0.05))
    assert (loss.low, loss.high, loss.min_coverage, loss.label_smoothing) == (0.1, 0.7, 0.2, 0.05)


@pytest.mark.parametrize(("epochs", "first"), [(1, 0), (2, 1), (4, 3), (6, 4), (10, 7), (100, 70)])
def test_mask_starts_late(epochs: int, first: int) -> None:
    loss = LateMask().build(0.0)
    assert LateMask().schedule(loss, epochs).first_epoch == first


@pytest.mark.parametrize(("initial_epoch", "masked_epochs"), [(0, [0, 0, 1, 1]), (1, [0, 1, 1]), (3, [1])])
def test_resumed_run_has_the_same_schedule(initial_epoch: int, masked_epochs: list[int]) -> None:
    logits = keras.Input((1,))
    model = keras.Model(logits, keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)(logits))
    loss = MaskedCrossentropy(0.2, 0.8)
    model.compile(keras.optimizers.SGD(0.0), loss=loss)
    data = (LOGITS[:, None], LABELS[:, None])
    schedule = MaskSchedule(loss, first_epoch=2)
    options = {"batch_size": 6, "epochs": 4, "validation_data": data, "callbacks": [schedule], "verbose": 0}
    history = model.fit(*data, initial_epoch=initial_epoch, **options).history
    unmasked = float(plain()(LABELS, LOGITS))
    np.testing.assert_allclose(history["loss"], np.where(masked_epochs, 0.210721, unmasked), atol=1e-5)
    np.testing.assert_allclose(history["val_loss"], unmasked, atol=1e-5)
