import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from training.gender.backbones import BACKBONES
from training.gender.config import Config, ConfigError, config_from, load_config
from training.losses.distillation import Distillation
from training.losses.late_mask import LateMask

FOLDER = Path(__file__).parents[3] / "training" / "gender" / "configs"
# The configs of image towers are those of training.gender.pretrain.
CONFIGS = sorted(file for file in FOLDER.glob("[!_]*.py") if not file.stem.startswith("avatars"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"backbone": "", "text": False}, "expected a tower to train"),
        ({"backbone": "", "hand_features": True}, "need a backbone and text=True"),
        ({"backbone": "mobilenetv2", "text": False, "hand_features": True}, "need a backbone and text=True"),
        ({"backbone": "mobilenetv2", "text": False, "fusion": "concat"}, "need a backbone and text=True"),
        ({"backbone": "", "cbam": True}, "cbam needs a backbone"),
        ({"backbone": "mobilenetv2", "max_ngram": 3}, "max_ngram needs the text tower alone"),
    ],
)
def test_option_without_its_tower_is_rejected(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(epochs=1, **values)


@pytest.mark.parametrize("mask_loss", [None, LateMask(low=0.2, share=0.5)])
def test_config_survives_report(mask_loss: LateMask | None) -> None:
    config = Config("mobilenetv2", 3, mask_loss=mask_loss, distillation=Distillation(3.0), fusion="concat")
    assert config_from(json.loads(json.dumps(asdict(config)))) == config


def test_config_from_older_report_gets_defaults() -> None:
    assert config_from({"backbone": "", "epochs": 2}) == Config(backbone="", epochs=2)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_published_configs_load(file: Path) -> None:
    assert load_config(file).backbone in {"", *BACKBONES}


@pytest.mark.parametrize("content", ["", "def get_config(): return {'epochs': 3}"])
def test_config_file_without_config_is_rejected(content: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(content)
    with pytest.raises(ConfigError, match=r"mine\.py: expected a function get_config\(\) that returns"):
        load_config(tmp_path / "mine.py")
