"""A run on a small world writes all files, learns, and is never better than its ceiling allows."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from training.engine.errors import ConfigError
from training.evaluation.intervals import estimate
from training.evaluation.ranking import user_auc
from training.ranking import train as training
from training.ranking.config import Config
from training.ranking.examples import examples_of
from training.ranking.fit import fit, picture_table, predict_logits
from training.ranking.prerank import two_tower_model
from training.ranking.world import Setting, exact_vectors, setting_of
from training.report import read_run
from training.synthetic.preference_ceiling import KNOWLEDGE, p_like
from training.synthetic.preference_log import impressions_of
from training.synthetic.preferences import CELLS

SMALL = Config(compressor=(16, 8), hidden=(16,), epochs=1, batch=64)


@pytest.fixture(scope="module")
def setting() -> Setting:
    count = 16 * len(CELLS)
    themes, styles = zip(*CELLS, strict=True)
    cards = pd.DataFrame(
        {"id": np.arange(1, count + 1), "theme": list(themes) * 16, "style": list(styles) * 16, "split": "train"}
    )
    cards.loc[count // 2 :, "split"] = "test"
    return setting_of(cards, exact_vectors(np.arange(count) % len(CELLS), 16), seed=1)


@pytest.fixture(scope="module")
def impressions(setting: Setting) -> pd.DataFrame:
    return impressions_of(setting.sessions(500, 300, 1), setting.stock, setting.profiles)


@pytest.fixture(scope="module")
def run(setting: Setting, impressions: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranker")
    gallery = training.Gallery(setting.vectors, setting.stock.ids, {"encoder_digest": "abc"})
    return training.train(SMALL, impressions, gallery, folder)


def test_run_has_the_served_model_and_its_measures(run: Path) -> None:
    served = keras.saving.load_model(run / "ranker.keras")
    assert {tensor.name: tensor.shape[1:] for tensor in served.inputs} == {
        "embedding": (256,),
        "probabilities": (2,),
        "history_vectors": (50, 16),
        "history_mask": (50,),
        "candidate_vectors": (200, 16),
        "candidate_mask": (200,),
        "candidate_priors": (200,),
    }
    report = read_run(run)
    assert report["encoder_digest"] == "abc"
    assert report["ranker"]["users"] == 150
    with np.load(run / "prerank.npz") as weights:
        assert {name: weights[name].shape for name in weights} == {
            "history": (16, 16),
            "probabilities": (2, 16),
            "null_history": (16,),
            "bias": (16,),
            "prior": (),
        }


def test_warm_start_of_another_model_is_refused(
    run: Path, setting: Setting, impressions: pd.DataFrame, tmp_path: Path
) -> None:
    gallery = training.Gallery(setting.vectors, setting.stock.ids)
    wider = replace(SMALL, compressor=(32, 8))
    with pytest.raises(ConfigError, match=r"warm start: expected .* of shape .*, got"):
        training.train(wider, impressions, gallery, tmp_path, run / "weights.npz")


def test_a_learned_ranking_is_between_chance_and_the_ceiling(setting: Setting) -> None:
    sessions = setting.sessions(3000, 500, 2)
    examples = examples_of(impressions_of(sessions, setting.stock, setting.profiles), setting.stock.ids)
    last = sessions.days == setting.stock.last_day
    past, measured = examples.rows(~last), sessions.rows(last)
    seen = past.seen(len(setting.stock.ids))
    model = two_tower_model(picture_table(setting.vectors))
    fit(model, Config(learning_rate=0.1, epochs=4, batch=64), past, seen)
    ranked = user_auc(measured.liked, predict_logits(model, examples.rows(last), seen))
    best = user_auc(measured.liked, p_like(setting.world, setting.stock, measured, seen[1:], KNOWLEDGE["all"]))
    above = estimate(lambda rows: ranked.mean(rows) - best.mean(rows), np.arange(len(measured)), 200)
    assert above.low <= 0
    assert ranked.mean() - 0.5 > 0.4 * (best.mean() - 0.5)


def test_too_few_sessions_are_refused(setting: Setting, impressions: pd.DataFrame, tmp_path: Path) -> None:
    gallery = training.Gallery(setting.vectors, setting.stock.ids)
    with pytest.raises(ConfigError, match="expected at least 64 sessions before the last day, got"):
        training.train(SMALL, impressions.iloc[:40], gallery, tmp_path)


def test_gallery_needs_one_id_for_each_vector(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", np.zeros((3, 2)))
    np.save(tmp_path / "ids.npy", np.arange(2))
    with pytest.raises(ConfigError, match="got 2 ids and 3 vectors"):
        training.read_gallery(tmp_path)


@pytest.mark.parametrize("value", [True, False])
def test_last_day_without_likes_or_with_likes_only_is_refused(
    value: bool, setting: Setting, impressions: pd.DataFrame, tmp_path: Path
) -> None:
    last = impressions["time"].dt.date == impressions["time"].dt.date.max()
    liked = [
        np.full(len(each), value) if is_last else each for each, is_last in zip(impressions["liked"], last, strict=True)
    ]
    gallery = training.Gallery(setting.vectors, setting.stock.ids, {})
    with pytest.raises(ConfigError, match="expected users of the last day who liked some of the shown pictures"):
        training.train(SMALL, impressions.assign(liked=pd.Series(liked)), gallery, tmp_path)
