"""Data-parallel training, on simulated devices."""

from typing import Any

import keras
import pytest

from training.engine.devices import use_all_devices
from training.engine.errors import ConfigError


@pytest.fixture
def distributions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The distributions that are set, on two devices."""
    distributions: list[Any] = []
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0", "gpu:1"])
    monkeypatch.setattr(keras.distribution, "set_distribution", distributions.append)
    return distributions


def test_jax_distributes_batches(distributions: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    use_all_devices(batch=6)
    (distribution,) = distributions
    assert isinstance(distribution, keras.distribution.DataParallel)
    assert distribution.num_model_replicas == 2
    with pytest.raises(ConfigError, match="expected a batch size divisible by 2 devices, got 7"):
        use_all_devices(batch=7)


def test_tensorflow_uses_one_device_and_warns(distributions: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    use_all_devices(batch=7)
    assert not distributions
    assert "using 1 of 2 devices" in caplog.text


def test_one_device_needs_no_distribution(distributions: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0"])
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    use_all_devices(batch=7)
    assert not distributions


def test_torch_uses_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    # Keras has no distribution module on PyTorch.
    monkeypatch.delattr(keras.distribution, "list_devices")
    use_all_devices(batch=7)
