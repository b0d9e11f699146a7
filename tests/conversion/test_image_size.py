import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conversion import image_size
from conversion.image_size import markdown, report, summarize
from tests.support.markdown import cells
from tests.support.training.stand_in import small_towers
from training.gender.build import Pretrained
from training.gender.config import Config, ConfigError
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

SLICES = {"all": {"accuracy": 0.9, "accuracy_low": 0.88, "accuracy_high": 0.92, "auc": 0.95}}


def test_latencies_are_compared_within_rounds() -> None:
    latencies = {128: np.array([10.0, 20.0, 40.0]), 224: np.array([30.0, 60.0, 120.0])}
    rows = summarize(latencies, dict.fromkeys(latencies, SLICES))
    assert rows["224"]["ratio"] == {"median": 3.0, "low": 3.0, "high": 3.0}
    assert rows["128"]["ms"] == {"median": 20.0, "low": 15.0, "high": 30.0}
    assert ["224", "90.0% (88.0% to 92.0%)", "0.950", "60.0 (45.0 to 90.0)", "3.00"] in cells(markdown(rows))


def test_each_size_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_size, "ROUNDS", 3)
    monkeypatch.setattr("training.gender.evaluate.draw", lambda *_: {})
    monkeypatch.setattr("training.gender.evaluate.draw_fusion", lambda *_: {})
    manifest = write_users(60, AvatarPool(), builtin_names(), tmp_path, seed=3)
    config = Config(backbone="mobilenetv2", epochs=1, batch=16)
    with small_towers():
        report(config, (32, 128), manifest, tmp_path / "runs", Pretrained(), tmp_path)
    sizes = json.loads((tmp_path / "image_size.json").read_text())["sizes"]
    assert {size: row["ratio"]["median"] == 1 for size, row in sizes.items()} == {"32": False, "128": True}
    assert (tmp_path / "image_size.md").read_text() == markdown(sizes)

    monkeypatch.setattr(image_size, "train", None)
    monkeypatch.setattr(image_size, "evaluate", lambda *_: SLICES)
    monkeypatch.setattr(image_size, "latencies_ms", lambda runs: dict.fromkeys(runs, np.ones(3)))
    report(config, (32, 128), manifest, tmp_path / "runs", Pretrained(), tmp_path)
    assert "90.0%" in (tmp_path / "image_size.md").read_text()

    with pytest.raises(ConfigError, match="epochs was 1, is now 2"):
        report(replace(config, epochs=2), (32,), manifest, tmp_path / "runs", Pretrained(), tmp_path)
    other = manifest.rename(tmp_path / "other.csv")
    with pytest.raises(ConfigError, match=r"manifest was 'manifest\.csv', is now 'other\.csv'"):
        report(config, (32,), other, tmp_path / "runs", Pretrained(), tmp_path)
