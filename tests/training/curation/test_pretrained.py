from pathlib import Path

import keras
import numpy as np
import pytest

from training.curation.pretrained import build_mobilenet, pretrained_trunk
from training.engine.errors import ConfigError


def test_trunk_starts_from_the_weights_of_the_file(tmp_path: Path) -> None:
    network = build_mobilenet(32).get_layer("mobilenetv2")
    entries = {
        f"{layer.name}/{weight.name}": np.asarray(keras.ops.convert_to_numpy(weight))
        for layer in network.layers
        for weight in layer.weights
    }
    np.savez(tmp_path / "whole.npz", **entries)
    trunk = pretrained_trunk(tmp_path / "whole.npz", 32)
    assert trunk.output_shape == (None, 2, 2, 576)
    pictures = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(trunk(pictures), network(pictures / 127.5 - 1), atol=1e-6)
    np.savez(tmp_path / "part.npz", **{name: entries[name] for name in entries if not name.startswith("block_13")})
    with pytest.raises(ConfigError, match=r"part\.npz: expected an entry 'block_13_expand/kernel'"):
        pretrained_trunk(tmp_path / "part.npz", 32)
