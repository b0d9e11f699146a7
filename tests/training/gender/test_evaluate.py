import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from genderprep.tensors import IMAGE_SIZE, WEIGHTS
from tests.support.training.stand_in import small_towers
from training.data.batches import prepare_users
from training.data.manifest import Manifest, read_manifest, write_manifest
from training.engine.predict import predict_split
from training.gender import evaluate as command
from training.gender.evaluate import draw, draw_fusion, evaluate, explained, with_weights
from training.gender.model import build_fused_model, build_nickname_model, load_model

pytestmark = pytest.mark.usefixtures("eager")

ALWAYS = {"learning_curves", "confusion", "reliability", "coverage"}
FUSED_ONLY = {"avatar_weights", "gradcam"}
# Source, nickname, has an avatar, split.
ROWS = [
    ("photo", "国强", True, "test"),
    ("photo", "", True, "test"),
    ("drawn", "婷婷", False, "test"),
    ("drawn", "小美", True, "test"),
    ("photo", "", False, "test"),
    ("nicknames", "moon", False, "train"),
]


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, object]]:
    Image.new("RGB", (40, 40), "teal").save(tmp_path / "one.png")
    return [
        {"source": source, "nickname": nickname, "avatar": "one.png" * avatar, "split": split, "gender": gender}
        for (source, nickname, avatar, split), gender in zip(ROWS, ("male", "female") * 3, strict=True)
    ]


@pytest.fixture
def manifest(rows: list[dict[str, object]], tmp_path: Path) -> Path:
    return write_manifest(rows, tmp_path / "manifest.csv")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with small_towers():
        return write_run(build_fused_model("mobilenetv2"), tmp_path / "run")


def write_run(model: keras.Model, run: Path) -> Path:
    run.mkdir()
    model.save(run / "model.keras")
    (run / "report.json").write_text(json.dumps({"scaling": {"both": [0.5, 0]}, "unknown_below": 0.6}))
    pd.DataFrame({"epoch": [0], "loss": [1.0], "val_loss": [2.0]}).to_csv(run / "history.csv", index=False)
    return run


def figures_in(folder: Path) -> set[str]:
    for file in folder.glob("*.png"):
        Image.open(file).verify()
    light, dark = ({file.name for file in folder.glob(each)} for each in ("*.png", "*.dark.png"))
    assert dark == {name.replace(".png", ".dark.png") for name in light - dark}
    return {name.removesuffix(".png") for name in light - dark}


def drawn(run: Path, manifest: Path) -> dict[str, Any]:
    """Draw the figures of the test split with P(female) of 0.9, 0.2, 0.7, 0.55 and 0.99."""
    model, rows = load_model(run / "model.keras"), Manifest(manifest)
    table, users, outputs = predict_split(with_weights(model), rows, "test", IMAGE_SIZE)
    female = np.array([0.9, 0.2, 0.7, 0.55, 0.99])[: len(table)]
    charts = draw(run, users, female, 0.6) | draw_fusion(model, rows, table, users, female, outputs[WEIGHTS])
    return {name: chart() for name, chart in charts.items() if chart}


def test_evaluate_writes_metrics_and_figures(run: Path, manifest: Path) -> None:
    slices = evaluate(run, manifest, "test")
    written = json.loads((run / "evaluation_test" / "evaluation.json").read_text())
    assert written["slices"]["all"] == slices["all"]
    assert {name: metrics["users"] for name, metrics in slices.items()} == {
        "all": 5, "both": 2, "avatar only": 1, "nickname only": 1, "source drawn": 2, "source photo": 3,
        "script Han": 3
    }  # fmt: skip
    assert {label: sum(row.values()) for label, row in written["answers"].items()} == {"male": 3, "female": 2}
    assert sum(decisions["unknown"] for decisions in written["answers"].values()) >= 1
    assert figures_in(run / "evaluation_test") == ALWAYS | FUSED_ONLY


def test_evaluate_writes_to_out(run: Path, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("draw", "draw_fusion"):
        monkeypatch.setattr(command, name, lambda *_: {})
    evaluate(run, manifest, "test", tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "evaluation.json").is_file()
    assert not (run / "evaluation_test").exists()


def test_figures_show_users_of_split(run: Path, manifest: Path) -> None:
    charts = drawn(run, manifest)
    cells = [text.get_text() for text in charts["confusion"].axes[0].texts]
    # The fourth user is below the threshold of 0.6. The fifth has no input.
    assert cells == ["0\n0.0%", "2\n66.7%", "1\n33.3%", "1\n50.0%", "0\n0.0%", "1\n50.0%"]
    assert np.asarray(charts["coverage"].axes[0].lines[0].get_xdata()).tolist() == [0.2, 0.4, 0.6, 0.8]
    titles = [axes.get_title(loc="left") for axes in charts["avatar_weights"].axes]
    assert [title.split(",")[0] for title in titles] == [
        "avatar only: 1 users", "both: 2 users", "nickname only: 1 users", "nothing: 1 users"
    ]  # fmt: skip
    assert [title.split(", ")[1] for title in titles[::2]] == ["mean 1.00", "mean 0.00"]
    captions = [axes.get_title() for axes in charts["gradcam"].axes]
    assert len(captions) == 1
    assert captions[0].startswith("female, predicted female 0.55\navatar weight 0.")


def test_strata_of_manifest_replace_modalities(run: Path, rows: list[dict[str, object]], tmp_path: Path) -> None:
    manifest = write_manifest([row | {"stratum": f"kind {row['source']}"} for row in rows], tmp_path / "kinds.csv")
    titles = [axes.get_title(loc="left") for axes in drawn(run, manifest)["avatar_weights"].axes]
    assert [title.split(":")[0] for title in titles] == ["kind drawn", "kind photo"]


@pytest.mark.parametrize(("source", "expected"), [("drawn", [3]), ("photo", [0, 1, 3]), ("", [0, 1, 3])])
def test_drawn_avatars_are_explained_first(source: str, expected: list[int], manifest: Path) -> None:
    table = read_manifest(manifest)
    users = prepare_users(table)
    table["source"] = table["source"].where(table["source"] == source, "other")
    assert np.flatnonzero(explained(table, users)).tolist() == expected


def test_at_most_eight_avatars_are_explained(manifest: Path) -> None:
    table = read_manifest(manifest).iloc[[0] * 10]
    assert np.flatnonzero(explained(table, prepare_users(table))).tolist() == list(range(8))


def test_text_tower_has_no_avatar_figures(manifest: Path, tmp_path: Path) -> None:
    with small_towers():
        run = write_run(build_nickname_model(), tmp_path / "nicknames")
    evaluate(run, manifest, "test")
    assert figures_in(run / "evaluation_test") == ALWAYS


def test_stale_figures_are_deleted(run: Path, manifest: Path) -> None:
    evaluate(run, manifest, "test")
    (run / "history.csv").write_text("")
    pd.read_csv(manifest).assign(avatar="", nickname="").to_csv(manifest, index=False)
    evaluate(run, manifest, "test")
    assert figures_in(run / "evaluation_test") == {"confusion", "reliability", "avatar_weights"}


def test_run_without_history_has_no_learning_curves(run: Path, manifest: Path) -> None:
    (run / "history.csv").unlink()
    assert drawn(run, manifest).keys() == (ALWAYS | FUSED_ONLY) - {"learning_curves"}


def test_evaluate_accepts_single_user(run: Path, manifest: Path) -> None:
    assert evaluate(run, manifest, "train").keys() == {"all", "nickname only", "source nicknames", "script Latin"}
    assert figures_in(run / "evaluation_train") == ALWAYS | {"avatar_weights"}


@pytest.mark.parametrize(
    ("folder", "split", "message"),
    [("run", "validation", "no rows in the split 'validation'"), ("nowhere", "test", "no finished run in .*nowhere")],
)
def test_evaluate_command_fails_with_one_line(
    folder: str, split: str, message: str, run: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--run", str(run.with_name(folder)), "--data", str(manifest), "--split", split]
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])
    with pytest.raises(SystemExit, match=f"evaluate: .*{message}"):
        command.main()
