"""The statistics of batch normalization become the means over the given batches; folded networks become trainable."""

import keras
import numpy as np

from training.engine.batch_norm import adopt_batch_norm, batch_norms, estimate_batch_norm


def test_statistics_are_means_over_batches() -> None:
    inner = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(momentum=0.9)])
    model = keras.Sequential([keras.Input((4,)), inner])
    (layer,) = batch_norms(model)
    layer.moving_mean.assign(np.full(4, 7.0))
    batches = np.random.default_rng(0).normal(3, 2, (5, 20, 4)).astype(np.float32)
    estimate_batch_norm(model, batches)
    np.testing.assert_allclose(layer.moving_mean, batches.mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, batches.var(axis=1).mean(axis=0), rtol=1e-5)
    assert layer.momentum == 0.9


def test_adopted_statistics_are_those_of_the_batches_and_change_no_output() -> None:
    keras.utils.set_random_seed(1)
    blocks = [
        layer
        for _ in range(2)
        for layer in (keras.layers.Conv2D(6, 3), keras.layers.BatchNormalization(), keras.layers.ReLU())
    ]
    network = keras.Sequential([keras.Input((12, 12, 3)), *blocks])
    batches = np.random.default_rng(0).normal(3, 2, (4, 50, 12, 12, 3)).astype(np.float32)
    # Training moves the statistics, so it comes first.
    trained_before, before = network(batches[0], training=True), network(batches[0])
    adopt_batch_norm(network, batches)
    np.testing.assert_allclose(network(batches[0]), before, rtol=1e-3, atol=1e-4)
    # Training normalizes by the statistics of its batch, which are now near the moving ones.
    difference = np.abs(network(batches[0], training=True) - before).mean()
    assert difference < 0.05 * np.abs(trained_before - before).mean()
