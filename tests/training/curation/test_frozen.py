"""The frozen and the trained part are together the pretrained network; views are computed once."""

from pathlib import Path

import keras
import numpy as np
import pytest

from training.curation.fit import Schedule, fixmatch, mean_teacher
from training.curation.frozen import UpperBlocks, build_upper_blocks, split_pretrained
from training.curation.multitask import build_network, predict, with_heads, with_taps
from training.curation.pretrained import build_mobilenet, pretrained_trunk
from training.curation.runs import set_weights
from training.curation.views import RandomView, compute_maps, compute_views, plain

SIZE = 32
PICTURES = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(1)
    file = tmp_path_factory.mktemp("weights") / "mobilenetv2.npz"
    layers = build_mobilenet(SIZE).get_layer("mobilenetv2").layers
    entries = {f"{layer.name}/{weight.name}": weight for layer in layers for weight in layer.weights}
    np.savez(file, **{name: keras.ops.convert_to_numpy(each) for name, each in entries.items()})
    return file


def test_both_parts_are_the_whole(weights: Path) -> None:
    frozen, initial = split_pretrained(weights, SIZE)
    upper = build_upper_blocks(UpperBlocks(SIZE, cbam=True))
    set_weights(upper, initial)
    assert {each.path for each in upper.weights if "cbam" not in each.path} == {*initial}
    expected = pretrained_trunk(weights, SIZE).predict(PICTURES, verbose=0)
    np.testing.assert_allclose(upper.predict(compute_maps(frozen, PICTURES), verbose=0), expected, atol=0.01)


def test_network_may_end_earlier_and_has_taps(weights: Path) -> None:
    assert build_upper_blocks(UpperBlocks(SIZE, last=11)).output_shape == (None, 2, 2, 576)
    _, *taps = with_taps(build_network(UpperBlocks(SIZE), 1)).output
    assert [tap.shape[-1] for tap in taps] == [64, 64, 96, 576]


def test_views_are_chosen_in_training_only(weights: Path) -> None:
    frozen, _ = split_pretrained(weights, SIZE)
    views = compute_views(frozen, PICTURES, seed=0)
    assert views.shape == (6, 11, 4, 4, 32)
    np.testing.assert_array_equal(plain(views), compute_maps(frozen, PICTURES))
    numbered = np.tile(np.arange(11, dtype=np.float16)[:, None, None, None], (500, 1, 1, 1, 1))
    chosen = keras.ops.convert_to_numpy(RandomView(3, 8, seed=0)(numbered, training=True))
    assert {*chosen.ravel()} == {*range(3, 11)}
    assert not keras.ops.convert_to_numpy(RandomView(3, 8, seed=0)(numbered)).any()


def test_all_views_differ(weights: Path) -> None:
    views = compute_views(split_pretrained(weights, SIZE)[0], PICTURES[:1], seed=0)[0]
    assert len({each.tobytes() for each in views}) == 11


def test_networks_train_on_computed_views() -> None:
    """A channel of the maps is the label."""
    labels = (np.arange(64) % 2).astype(np.int8)[:, None]
    views = np.random.default_rng(0).normal(size=(64, 11, 4, 4, 2)).astype(np.float16)
    views[labels[:, 0] == 1, ..., 0] += 3
    maps = keras.Input((4, 4, 2))
    network = with_heads(keras.Model(maps, keras.layers.Conv2D(2, 1)(maps)), 1)
    schedule = Schedule(steps=40, batch=16, learning_rate=0.1)
    for model in (mean_teacher(network, views[:8], labels[:8], views, schedule), network):
        assert ((predict(model, plain(views)) > 0.5) == labels).mean() > 0.9
    fixmatch(network, views[:8], labels[:8], views, schedule)
    assert ((predict(network, plain(views)) > 0.5) == labels).mean() > 0.9
