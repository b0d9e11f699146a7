"""The configuration of a training run. A config file returns one from `get_config()`."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_type_hints

from genderprep.tensors import IMAGE_SIZE

from ..data.augmentation import LIGHT, Augmentation
from ..data.labels import LabelMap
from ..data.manifest import MAX_BAD_ROWS
from ..engine.errors import ConfigError as ConfigError
from ..losses.distillation import Distillation
from ..losses.late_mask import LateMask

T = TypeVar("T")


@dataclass(frozen=True)
class Config:
    """One supervised run.

    Args:
        backbone: Trunk of the image tower, a name in `backbones.BACKBONES`; empty for the text tower alone.
        epochs: Each ends with validation and a checkpoint.
        learning_rate: Peak of a cosine schedule with warm-up.
        pretrained_lr_multiplier: Factor of the learning rate of pretrained layers.
        auxiliary_loss: Weight of the loss of each tower's own logit.
        precision: Share of the decided users that must be correct. It sets the threshold of `unknown`.
        image_size: Side of the avatars, in pixels.
        text: False for the image tower alone.
        mean_over_padding: Whether the text tower averages padding too, as the article does.
        ngrams: Whether hashed n-grams join the transformer's features; the article has none.
        max_ngram: None for the transformer. Else the text tower, alone, is that of FastText: its longest n-gram in
            graphemes.
        fusion: `attention` or `concat`; needs both towers.
        mask_loss: The article's mask loss, or None.
        distillation: How a student learns from the model of `--teacher`.
        cbam: Attention in the trunk; needs a backbone with blocks.
        hand_features: Hand-crafted features after the fusion; needs both towers.
        gradient_centralization: GCAdamW on the `gradient` or the `update`; empty for AdamW.
        steps_per_epoch: Batches in an epoch; by default one pass over the train rows.
        validation_rows: At most this many validation rows are held in memory.
        max_bad_rows: Share of the manifest's rows that may be unusable.
        label_map: The manifest's own labels, such as `{"女": "female", "男": "male"}`. `--label-map` adds to it.

    Raises:
        ConfigError: Neither tower is selected, or an option lacks the tower that it needs.
    """

    backbone: str
    epochs: int
    batch: int = 32
    learning_rate: float = 1e-3
    pretrained_lr_multiplier: float = 0.1
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    auxiliary_loss: float = 0.3
    precision: float = 0.9
    seed: int = 1
    image_size: int = IMAGE_SIZE
    augmentation: Augmentation = LIGHT
    text: bool = True
    mean_over_padding: bool = False
    ngrams: bool = True
    max_ngram: int | None = None
    fusion: str = "attention"
    mask_loss: LateMask | None = None
    distillation: Distillation = field(default_factory=Distillation)
    cbam: bool = False
    hand_features: bool = False
    gradient_centralization: str = ""
    steps_per_epoch: int | None = None
    validation_rows: int = 10_000
    max_bad_rows: float = MAX_BAD_ROWS
    label_map: LabelMap = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not (self.backbone or self.text):
            raise ConfigError("expected a tower to train, got no backbone and text=False")
        if not self.is_fused and (self.hand_features or self.fusion != "attention"):
            raise ConfigError("fusion and hand_features need a backbone and text=True")
        if self.backbone and self.max_ngram is not None:
            raise ConfigError("max_ngram needs the text tower alone")
        if self.cbam and not self.backbone:
            raise ConfigError("cbam needs a backbone")

    def with_label_map(self, label_map: LabelMap) -> "Config":
        """Return this config with more labels."""
        return replace(self, label_map={**self.label_map, **label_map})

    @property
    def is_fused(self) -> bool:
        """Whether the model has both towers."""
        return bool(self.backbone and self.text)


# Fields that are dataclasses themselves, such as `mask_loss`, and their types.
_NESTED: Final[dict[str, Any]] = {
    name: kind
    for name, hint in get_type_hints(Config).items()
    for kind in (hint, *get_args(hint))
    if is_dataclass(kind)
}


def config_from(values: Mapping[str, Any]) -> Config:
    """Restore a config from the values in `report.json`."""
    nested = {name: kind(**values[name]) for name, kind in _NESTED.items() if values.get(name)}
    return Config(**{**values, **nested})


def load_config(file: Path) -> Config:
    """Import the config file of a supervised run; see `import_config`."""
    return import_config(file, Config)


def import_config(file: Path, kind: type[T]) -> T:
    """Import a config file and call its `get_config`, which returns a `kind`.

    Raises:
        FileNotFoundError: The file does not exist.
        ConfigError: The file has no `get_config` that returns a `kind`.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no config {file}; the ready ones are in training/gender/configs")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config() if hasattr(module, "get_config") else None
    if not isinstance(config, kind):
        raise ConfigError(f"{file}: expected a function get_config() that returns a {kind.__module__}.{kind.__name__}")
    return config
