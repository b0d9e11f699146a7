"""The statistics of batch normalization become the means over the given batches."""

import keras
import numpy as np

from training.engine.batch_norm import batch_norms, estimate_batch_norm


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
