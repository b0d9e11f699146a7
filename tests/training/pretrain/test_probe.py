"""Probes predict labels that the embedding or the picture shows, and are at chance on noise."""

import keras
import numpy as np

from training.pretrain.probe import FineTuning, few_labels, fine_tune, linear_probe

RNG = np.random.default_rng(0)
LABELS = np.array(["cat", "dog", "sea"] * 20)


def test_linear_probe_reads_a_label_that_is_there() -> None:
    x = RNG.normal(size=(60, 8))
    x[:, 0] += 10 * (LABELS == "dog")
    x[:, 1] += 10 * (LABELS == "sea")
    assert (linear_probe(x[:30], LABELS[:30], x[30:]) == LABELS[30:]).all()


def test_linear_probe_is_at_chance_on_noise() -> None:
    x = RNG.normal(size=(60, 8))
    assert (linear_probe(x[:30], LABELS[:30], x[30:]) == LABELS[30:]).mean() < 0.6


def test_few_labels_are_the_same_number_of_each() -> None:
    chosen = few_labels(LABELS, 4, seed=1)
    assert np.unique(LABELS[chosen], return_counts=True)[1].tolist() == [4, 4, 4]
    assert chosen.tolist() != few_labels(LABELS, 4, seed=2).tolist()
    assert few_labels(np.array(["a", "b", "b", "b"]), 2).tolist()[0] == 0


def test_fine_tuning_trains_encoder_and_classifier() -> None:
    keras.utils.set_random_seed(1)
    shades = {"cat": 40, "dog": 120, "sea": 200}
    pixels = np.stack([np.full((8, 8, 3), shades[label], np.uint8) for label in LABELS])
    pictures = keras.Input((8, 8, 3))
    features = keras.layers.Dense(8, activation="relu")(keras.layers.GlobalAveragePooling2D()(pictures / 255.0))
    encoder = keras.Model(pictures, features)
    before = encoder.get_weights()[0]
    tuning = FineTuning(epochs=40, batch=10, learning_rate=0.05)
    predicted = fine_tune(encoder, pixels[:30], LABELS[:30], pixels[30:], tuning)
    assert (predicted == LABELS[30:]).all()
    assert not np.allclose(encoder.get_weights()[0], before)
