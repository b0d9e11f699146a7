"""What a config file in `training/gender/configs` returns from `get_config()`: plain values."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genderprep.tensors import IMAGE_SIZE

from ..data.augmentation import LIGHT, Augmentation
from ..data.manifest import MAX_BAD_ROWS
from ..engine.errors import ConfigError as ConfigError
from ..losses.late_mask import LateMask


@dataclass(frozen=True)
class Config:
    """One supervised run. `backbone` is empty for the text tower alone, `text` false for the image tower alone.

    An epoch, after which is validated and saved, is `steps_per_epoch` batches, by default one pass over the rows.
    It is validated on at most `validation_rows` rows, which stay in memory. `max_bad_rows` is the share of the
    manifest's rows that may be unusable.

    `fusion` (`attention` or `concat`) and `hand_features` need both towers, `cbam` needs DenseNet121.

    `precision` is the share of the decided users that shall be right: whoever is less sure than takes that is
    `unknown`.

    Raises:
        ConfigError: there is no tower, or a switch without the towers that it needs.
    """

    backbone: str
    epochs: int
    batch: int = 32
    learning_rate: float = 1e-3
    pretrained_pace: float = 0.1
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    auxiliary_loss: float = 0.3
    precision: float = 0.9
    seed: int = 1
    image_size: int = IMAGE_SIZE
    augmentation: Augmentation = LIGHT
    text: bool = True
    mean_over_padding: bool = False
    fusion: str = "attention"
    mask_loss: LateMask | None = None
    cbam: bool = False
    hand_features: bool = False
    gradient_centralization: bool = False
    steps_per_epoch: int | None = None
    validation_rows: int = 10_000
    max_bad_rows: float = MAX_BAD_ROWS

    def __post_init__(self) -> None:
        if not (self.backbone or self.text):
            raise ConfigError("nothing to train: no backbone and text=False")
        if not (self.backbone and self.text) and (self.hand_features or self.fusion != "attention"):
            raise ConfigError("fusion and hand_features need a backbone and text=True")
        if self.cbam and not self.backbone:
            raise ConfigError("cbam needs a backbone")


def config_from(values: Mapping[str, Any]) -> Config:
    """A config as `report.json` has it."""
    nested = {"mask_loss": LateMask, "augmentation": Augmentation}
    built = {name: kind(**values[name]) for name, kind in nested.items() if values.get(name)}
    return Config(**{**values, **built})


def load_config(file: Path) -> Config:
    """Import a config file and call its `get_config`.

    Raises:
        FileNotFoundError: no such file.
        ConfigError: the file has no `get_config` that returns a `Config`.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no config {file}; the ready ones are in training/gender/configs")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config() if hasattr(module, "get_config") else None
    if not isinstance(config, Config):
        raise ConfigError(f"{file}: needs a function get_config() that returns a training.gender.config.Config")
    return config
