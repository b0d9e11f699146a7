"""The tables train, measure and report every row, and a repeated command measures nothing again."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.training.stand_in import build_small_encoder
from training.engine.batch_norm import batch_norms
from training.pretrain import methods, rows, tables
from training.pretrain.article import DUAL, MOCO, NORMALIZED, TITLED, UNTRAINED, whitened
from training.pretrain.measures import Embeddings, chances, measure
from training.pretrain.methods import Config
from training.pretrain.real_pictures import measure_collections
from training.synthetic.cards import write_cards

pytestmark = pytest.mark.usefixtures("eager")

RNG = np.random.default_rng(0)
TEST = pd.DataFrame(
    {
        "card": np.repeat(np.arange(60), 2),
        "theme": np.repeat(["cat", "dog", "sea"] * 20, 2),
        "style": np.repeat(["flat", "dark"] * 30, 2),
    }
)


def embeddings_of(*columns: str) -> Embeddings:
    """Embeddings that show these columns of the test pictures, and noise."""
    shown = np.concatenate([pd.get_dummies(TEST[name]).to_numpy(float) for name in columns], axis=1)
    x = 5 * shown + RNG.normal(0, 0.1, shown.shape)
    return Embeddings(x, x)


def test_an_embedding_of_the_theme_finds_themes() -> None:
    values = measure(embeddings_of("theme"), TEST, TEST)
    assert values["theme@10"].mean() == 1
    assert values["linear probe"].mean() == 1
    assert values["style@10"].mean() == pytest.approx(chances(TEST)["style@10"], abs=0.1)


def test_an_embedding_of_the_card_finds_the_card_drawn_again() -> None:
    values = measure(embeddings_of("card"), TEST, TEST)
    assert values["recall@1"].mean() == 1
    assert values["theme@10"].mean() < 0.6


def test_chance_levels() -> None:
    levels = chances(TEST)
    assert levels["theme@50"] == pytest.approx(1 / 3)
    assert levels["recall@1"] == pytest.approx(1 / 119)


@pytest.fixture
def small_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "build_encoder", build_small_encoder)
    monkeypatch.setattr(rows, "build_encoder", build_small_encoder)


def test_report(small_encoder: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seeds, variations in (("data", range(48), 1), ("test", range(100, 132), 2)):
        manifest = write_cards(seeds, variations, tmp_path / name)
        table = pd.read_csv(manifest, keep_default_na=False)
        table["split"] = (["train"] * 24 + ["validation"] * 24) if name == "data" else "test"
        table.to_csv(manifest, index=False)
    options: dict[str, object] = {
        "data": tmp_path / "data/cards.csv",
        "test": tmp_path / "test/cards.csv",
        "out": tmp_path / "runs",
    }
    options |= {
        "results": tmp_path / "results",
        "size": 16,
        "epochs": 1,
        "seeds": 1,
        "methods": "dual_encoder",
    }
    monkeypatch.setattr(tables, "BATCH", 8)
    monkeypatch.setattr(sys, "argv", ["tables", *(f"--{name}={value}" for name, value in options.items())])
    tables.main()
    report = json.loads((tmp_path / "results/pictures.json").read_text())
    names = (UNTRAINED, NORMALIZED, DUAL, TITLED)
    assert list(report["rows"]) == [name for row in names for name in (row, whitened(row))]
    assert all(0 <= each["value"] <= 1 for row in report["rows"].values() for each in row.values())
    assert {each["first"] for each in report["comparisons"]} == {whitened(TITLED)}
    assert (tmp_path / "results/pictures.png").stat().st_size > 10_000
    assert (
        "Not measured: ImageNet; MoCo v2; SwAV; dual encoder, served." in (tmp_path / "results/pictures.md").read_text()
    )
    monkeypatch.setattr(tables, "measure", None)
    monkeypatch.setattr(tables, "save", lambda *_: None)
    tables.main()


def test_collections_are_measured_without_pictures_that_were_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for index in range(48):
        collection, theme = "ab"[index % 2], ["red", "blue"][index // 2 % 2]
        color = {"red": (200, 20, 20), "blue": (20, 20, 200)}[theme]
        file = tmp_path / f"{index}.png"
        Image.fromarray(np.clip(color + rng.integers(-9, 9, (20, 20, 3)), 0, 255).astype(np.uint8)).save(file)
        split = "train" if collection == "b" and index > 30 else "test"
        rows.append((file.name, collection, theme, str(index), split))
    table = pd.DataFrame(rows, columns=["picture", "collection", "theme", "card", "split"])
    table.to_csv(tmp_path / "both.csv", index=False)
    table.drop(columns=["collection", "split"]).to_csv(tmp_path / "alone.csv", index=False)
    pictures = keras.Input((16, 16, 3))
    colors = keras.Model(pictures, keras.layers.GlobalAveragePooling2D()(pictures))
    nothing = keras.Model(pictures, 0 * colors(pictures))
    measured = measure_collections(
        [tmp_path / "both.csv", tmp_path / "alone.csv"], {"colors": colors, "nothing": nothing}, tmp_path / "cache"
    )
    assert [(each["collection"], each["pictures"], each["trained"]) for each in measured] == [
        ("a", 24, False),
        ("b", 15, True),
        ("alone", 48, False),
    ]
    assert measured[2]["rows"]["colors"]["value"] == 1
    assert measured[2]["rows"]["nothing"]["value"] == pytest.approx(measured[2]["chance"], abs=0.2)


def test_methods_start_from_the_imagenet_weights_of_their_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def run(config: Config, manifest: Path, out: Path, weights: Path | None) -> Path:
        started.append((config.seed, weights))
        return out

    monkeypatch.setattr(rows, "run", run)
    monkeypatch.setattr(rows, "_load", Path)
    cards = rows.Cards(tmp_path / "data.csv", tmp_path / "test.csv", tmp_path)
    table = list(rows.rows(Config(""), ["moco"], (1, 2), cards, tmp_path, tmp_path / "mobilenet.npz", None))
    for encoder in next(row for row in table if row.name == MOCO).encoders:
        encoder()
    assert started == [(1, tmp_path / "mobilenet.npz"), (2, tmp_path / "mobilenet.npz")]


def test_untrained_row_has_statistics_of_the_pictures_only_if_normalized(small_encoder: None, tmp_path: Path) -> None:
    manifest = write_cards(range(12), 1, tmp_path)
    cards = rows.Cards(manifest, manifest, tmp_path)
    table = {row.name: row for row in rows.rows(Config("", size=16), [], (1,), cards, tmp_path, None, None)}
    means = {
        name: np.concatenate([layer.moving_mean for layer in batch_norms(table[name].encoders[0]())])
        for name in (UNTRAINED, NORMALIZED)
    }
    assert not means[UNTRAINED].any()
    assert means[NORMALIZED].all()
