"""The mask loss keeps whom it says, weighs them as it says, and starts when it says."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from training.losses.late_mask import MaskedCrossentropy, MaskSchedule, coverage, outside_band

Floats = NDArray[np.float32]

# The article's example.
PROBABILITIES: Floats = np.array([0.81, 0.7, 0.4, 0.19, 0.3, 0.7], np.float32)
LOGITS: Floats = np.log(PROBABILITIES / (1 - PROBABILITIES))
LABELS: Floats = np.array([1, 1, 0, 0, 1, 0], np.float32)
WEIGHTS: Floats = np.array([1, 2, 0.5, 3, 0, 1], np.float32)


def masked(low: float = 0.2, high: float = 0.8, min_coverage: float = 0.3, smoothing: float = 0.0) -> Any:
    loss = MaskedCrossentropy(low, high, min_coverage, smoothing)
    loss.active = True
    return loss


def slow(labels: Floats, weights: Floats, smoothing: float) -> float:
    """Weighted cross entropy over those kept, times the mean weight: what the docstring says, one user at a time."""
    kept = [p < 0.2 or p > 0.8 for p in PROBABILITIES]
    total = 0.0
    for label, p, weight, keep in zip(labels, PROBABILITIES, weights, kept, strict=True):
        target = label * (1 - smoothing) + smoothing / 2
        total -= keep * weight * float(target * np.log(p) + (1 - target) * np.log(1 - p))
    return total / len(labels) / float(weights[kept].sum() / weights.sum())


def test_the_articles_example() -> None:
    keep = keras.ops.convert_to_numpy(outside_band(PROBABILITIES, 1 - 0.8, 0.8))
    assert keep.tolist() == [True, False, False, True, False, False]
    assert float(masked()(LABELS, LOGITS)) == pytest.approx(0.210721, abs=1e-6)


@pytest.mark.parametrize("probability", [0.2, 0.8])
def test_both_ends_belong_to_the_band(probability: float) -> None:
    assert not outside_band(np.array([probability], np.float32), 1 - 0.8, 0.8)[0]


def test_rescaled_it_is_the_mean_over_the_kept() -> None:
    plain = keras.losses.BinaryCrossentropy(from_logits=True)
    kept = [0, 3]
    assert float(masked()(LABELS, LOGITS)) == pytest.approx(float(plain(LABELS[kept], LOGITS[kept])), abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [np.ones_like(WEIGHTS), WEIGHTS], ids=["alike", "weighed"])
def test_as_computed_one_by_one(weights: Floats, smoothing: float) -> None:
    loss = float(masked(smoothing=smoothing)(LABELS, LOGITS, weights))
    assert loss == pytest.approx(slow(LABELS, weights, smoothing), abs=1e-6)


def test_column_or_not() -> None:
    column = masked()(LABELS[:, None], LOGITS[:, None], WEIGHTS[:, None])
    assert column.shape == ()
    for labels, logits, weights in (
        (LABELS, LOGITS, WEIGHTS),
        (LABELS, LOGITS[:, None], WEIGHTS),
        (LABELS[:, None], LOGITS, WEIGHTS[:, None]),
    ):
        assert float(masked()(labels, logits, weights)) == float(column)


def test_users_of_weight_0_count_nowhere() -> None:
    weights: Floats = np.array([1, 1, 0, 1, 0, 0], np.float32)
    assert float(masked(min_coverage=0.6)(LABELS, LOGITS, weights)) == pytest.approx(slow(LABELS, weights, 0), abs=1e-6)


def test_a_batch_with_too_few_is_not_masked() -> None:
    plain = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    expected = pytest.approx(float(plain(LABELS[:, None], LOGITS[:, None], WEIGHTS)), abs=1e-6)
    assert float(masked(0.01, 0.99, smoothing=0.1)(LABELS, LOGITS, WEIGHTS)) == expected
    assert float(masked(min_coverage=0.9, smoothing=0.1)(LABELS, LOGITS, WEIGHTS)) == expected


def test_without_a_guard_nobody_kept_is_no_loss() -> None:
    assert float(masked(0.01, 0.99, min_coverage=0.0)(LABELS, LOGITS)) == 0


@pytest.mark.parametrize("min_coverage", [0.0, 0.3])
def test_no_weight_at_all_is_no_loss(min_coverage: float) -> None:
    assert float(masked(min_coverage=min_coverage)(LABELS, LOGITS, np.zeros(6, np.float32))) == 0


def test_the_band_learns_nothing_and_the_rest_does() -> None:
    logits = tf.Variable(LOGITS[:, None])
    with tf.GradientTape() as tape:
        loss = masked()(LABELS, logits)
    gradient = keras.ops.convert_to_numpy(tape.gradient(loss, logits))[:, 0]
    expected = np.where([1, 0, 0, 1, 0, 0], (PROBABILITIES - LABELS) / 2, 0)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_switched_off_it_is_plain_cross_entropy() -> None:
    plain = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.05)
    expected = float(plain(LABELS[:, None], LOGITS[:, None], WEIGHTS))
    assert float(MaskedCrossentropy(label_smoothing=0.05)(LABELS, LOGITS, WEIGHTS)) == pytest.approx(expected)


def test_coverage_for_the_metric() -> None:
    assert coverage(LABELS, LOGITS, 0.2, 0.8).numpy().tolist() == [1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 0.7, "high": 0.6}, "low=0.7, high=0.6"),
        ({"low": -0.1}, "low=-0.1, high=0.6"),
        ({"min_coverage": 1.1}, "between 0 and 1, got 1.1"),
    ],
)
def test_bands_that_are_none_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskedCrossentropy(**arguments)


def test_it_comes_back_from_its_config() -> None:
    loss = MaskedCrossentropy(0.1, 0.7, 0.2, 0.05)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()
    assert (again.low, again.high, again.min_coverage, again.label_smoothing) == (0.1, 0.7, 0.2, 0.05)


def losses_of_epochs(first_epoch: int, initial_epoch: int = 0) -> tuple[list[float], list[float]]:
    """Training and validation losses of epochs up to 4, of a model that always answers with `LOGITS`."""
    logits = keras.Input((1,))
    model = keras.Model(logits, keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)(logits))
    loss = MaskedCrossentropy(0.2, 0.8)
    model.compile(keras.optimizers.SGD(0.0), loss=loss)
    data = (LOGITS[:, None], LABELS[:, None])
    history = model.fit(
        *data,
        batch_size=6,
        epochs=4,
        initial_epoch=initial_epoch,
        validation_data=data,
        callbacks=[MaskSchedule(loss, first_epoch)],
        verbose=0,
    ).history
    return history["loss"], history["val_loss"]


@pytest.mark.parametrize(("initial_epoch", "masked_epochs"), [(0, [0, 0, 1, 1]), (1, [0, 1, 1]), (3, [1])])
def test_the_mask_starts_late_and_a_resumed_run_agrees(initial_epoch: int, masked_epochs: list[int]) -> None:
    plain = float(keras.losses.BinaryCrossentropy(from_logits=True)(LABELS, LOGITS))
    training, validation = losses_of_epochs(2, initial_epoch)
    np.testing.assert_allclose(training, np.where(masked_epochs, 0.210721, plain), atol=1e-5)
    np.testing.assert_allclose(validation, plain, atol=1e-5)
