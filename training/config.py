"""What a config file in `training/configs` returns from `get_config()`: plain values."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path


class ConfigError(ValueError):
    """A config or a file of weights cannot be used; the message names the file and what it lacks."""


@dataclass(frozen=True)
class Config:
    """One supervised run. `backbone` is empty for the text tower alone."""

    backbone: str
    epochs: int
    batch: int = 32
    learning_rate: float = 1e-3
    pretrained_pace: float = 0.1
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    auxiliary_loss: float = 0.3
    seed: int = 1


def load_config(file: Path) -> Config:
    """Import a config file and call its `get_config`.

    Raises:
        FileNotFoundError: no such file.
        ConfigError: the file has no `get_config` that returns a `Config`.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no config {file}; the ready ones are in training/configs")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config() if hasattr(module, "get_config") else None
    if not isinstance(config, Config):
        raise ConfigError(f"{file}: needs a function get_config() that returns a training.config.Config")
    return config
