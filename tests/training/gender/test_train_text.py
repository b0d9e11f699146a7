"""The text tower trains on a token file, on soft labels."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genderprep.tensors import TOKENS
from tests.support.training.stand_in import small_towers
from training.data.manifest import Manifest, ManifestError, write_manifest
from training.data.token_file import read_token_file, write_token_file
from training.evaluation.platt import PlattScaling
from training.gender.config import Config, ConfigError
from training.gender.configs import open_nicknames
from training.gender.model import load_model, main_logits
from training.gender.train_text import CONFIG, train_text

TOLD = {"婷": 0.9, "强": 0.1, "云": 0.5}


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """Nicknames of one to five words, one of which tells the gender; label and soft label agree on average."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for index in range(1500):
        character, p_female = list(TOLD.items())[index % 3]
        text = character + "".join(rng.choice(list("天地人山水"), rng.integers(0, 5)))
        split = "validation" if index % 5 == 0 else "train"
        gender = "female" if rng.random() < p_female else "male"
        rows.append({"nickname": text, "avatar": "", "gender": gender, "split": split, "p_female": p_female})
    rows.append(rows[-1] | {"split": "test"})
    return write_token_file(Manifest(write_manifest(rows, tmp_path / "a.csv")), tmp_path / "a.npz")


def test_tower_learns_soft_labels(tokens: Path, tmp_path: Path) -> None:
    config = replace(open_nicknames.get_config(), batch=32, epochs=6, learning_rate=3e-3)
    with small_towers():
        file = train_text(config, tokens, tmp_path / "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    held_out = read_token_file(tokens, "validation")
    logits = main_logits(load_model(file).predict({TOKENS: held_out.tokens}, verbose=0))
    p_female = PlattScaling(**report["scaling"])(logits, np.tile([False, True], (len(held_out), 1)))
    for told in TOLD.values():
        rows = np.isclose(held_out.p_female[:, 0], told, atol=0.01)
        assert p_female[rows].mean() == pytest.approx(told, abs=0.06)
    assert report["rows"] == {"train": 1200, "validation": 300}
    assert report["config"]["backbone"] == ""


def test_default_config_is_the_text_tower_alone() -> None:
    assert CONFIG.is_file()
    config: Config = open_nicknames.get_config()
    assert (config.backbone, config.ngrams, config.max_ngram) == ("", True, None)


def test_unfit_configs_and_token_files_are_refused(tokens: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a config without backbone"):
        train_text(Config(backbone="mobilenetv2", epochs=1), tokens, tmp_path / "run")
    with pytest.raises(ManifestError, match="expected at least 5000 train nicknames, got 1200"):
        train_text(replace(open_nicknames.get_config(), batch=5000), tokens, tmp_path / "run")
