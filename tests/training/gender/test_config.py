"""Configs that contradict themselves are refused; what a report keeps of one gives it back."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from training.gender.config import Config, ConfigError, config_from, load_config
from training.losses.late_mask import LateMask

ROOT = Path(__file__).parents[3]


def test_every_switch_is_off_by_default() -> None:
    config = Config(backbone="densenet121", epochs=1)
    switches = (config.mask_loss, config.cbam, config.hand_features, config.gradient_centralization)
    assert not any(switches)
    assert (config.text, config.fusion) == (True, "attention")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"backbone": "", "text": False}, "nothing to train"),
        ({"backbone": "", "hand_features": True}, "need a backbone and text=True"),
        ({"backbone": "mobilenetv2", "text": False, "hand_features": True}, "need a backbone and text=True"),
        ({"backbone": "mobilenetv2", "text": False, "fusion": "concat"}, "need a backbone and text=True"),
        ({"backbone": "", "cbam": True}, "cbam needs a backbone"),
    ],
)
def test_switches_without_their_towers_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(epochs=1, **values)


@pytest.mark.parametrize(("epochs", "first"), [(1, 0), (2, 1), (4, 3), (6, 4), (10, 7), (100, 70)])
def test_the_mask_takes_the_last_part_of_the_epochs(epochs: int, first: int) -> None:
    assert LateMask().first_epoch(epochs) == first


@pytest.mark.parametrize("mask_loss", [None, LateMask(low=0.2, share=0.5)])
def test_a_report_gives_its_config_back(mask_loss: LateMask | None) -> None:
    config = Config(backbone="mobilenetv2", epochs=3, mask_loss=mask_loss, fusion="concat")
    assert config_from(json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize("file", sorted((ROOT / "training" / "configs").glob("[!_]*.py")), ids=lambda file: file.stem)
def test_ready_configs_load_and_give_their_command(file: Path) -> None:
    config = load_config(file)
    assert config.backbone in {"", "densenet121", "mobilenetv2"}
    assert f"--config training/gender/configs/{file.name} " in file.read_text()


def test_a_report_of_before_the_switches_is_still_read() -> None:
    assert config_from({"backbone": "", "epochs": 2}) == Config(backbone="", epochs=2)
