"""The article's claim on small stand-in towers. `training.gender.ablate` measures the real ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.evaluation.benchmark import measure
from training.gender.ablate import Run, Study
from training.gender.ablation_rows import Row
from training.gender.config import Config
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

pytestmark = pytest.mark.usefixtures("towers")

SMALL = Config(backbone="mobilenetv2", epochs=8, learning_rate=5e-3, image_size=32)
TEXT = Row("text", replace(SMALL, backbone=""))
IMAGE = Row("image", replace(SMALL, text=False))
BOTH = Row("both", SMALL, text="text")


def test_fusion_beats_single_towers_without_leak(tmp_path: Path) -> None:
    study = Study(write_users(500, AvatarPool(), builtin_names(), tmp_path, seed=5), tmp_path / "runs", imagenet={})
    for row in (TEXT, IMAGE, BOTH):
        study.train(Run(row, 1))
    users, _ = study.users()
    p_female = {row.name: np.array([study.finished(row)[1]["p_female"]]) for row in (TEXT, IMAGE, BOTH)}
    metrics = {name: measure(users, p) for name, p in p_female.items()}
    assert not any(result["leak"] for result in metrics.values())
    noise = 2 * np.sqrt(users.ceiling * (1 - users.ceiling) / len(users.female))
    assert metrics["both"]["accuracy"] >= max(metrics["text"]["accuracy"], metrics["image"]["accuracy"]) - noise
    assert metrics["both"]["auc"] > 0.7
