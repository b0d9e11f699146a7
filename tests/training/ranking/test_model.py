"""The served graph ranks as the training graph does; ids are refused there; calibration and warm starts set weights."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit

from training.engine.errors import ConfigError
from training.losses.masked_cross_entropy import PADDING
from training.ranking.config import MAX_HISTORY, POOLINGS, Config
from training.ranking.examples import Examples
from training.ranking.fit import calibrate, picture_table, predict_logits
from training.ranking.model import MASKED_LOGIT, MAX_CANDIDATES, Ranker
from training.ranking.prerank import two_tower_model
from training.ranking.warm_start import set_weights, weights_of

pytestmark = pytest.mark.usefixtures("eager")

RNG = np.random.default_rng(0)
SMALL = (8, 4)
PICTURES = 30
TABLE = picture_table(RNG.normal(size=(PICTURES, 6)))
KNOWN = np.append(False, np.arange(PICTURES) < 20)


def examples(count: int = 5) -> Examples:
    """Sessions with histories of 0, 1, … pictures; the second list is shorter."""
    history = np.zeros((count, MAX_HISTORY), np.int32)
    for length in range(count):
        history[length, :length] = RNG.integers(1, PICTURES + 1, length)
    candidates = RNG.integers(1, PICTURES + 1, (count, 7)).astype(np.int32)
    candidates[1, 4:] = 0
    liked = np.where(candidates > 0, RNG.integers(0, 2, candidates.shape), PADDING).astype(np.float32)
    p_female = RNG.random(count)
    return Examples(
        np.arange(count),
        np.arange(count),
        history,
        candidates,
        liked,
        RNG.random(candidates.shape).astype(np.float32),
        np.column_stack([1 - p_female, p_female]).astype(np.float32),
        RNG.normal(size=(count, 256)).astype(np.float32),
    )


def small(**options: Any) -> Config:
    return Config(compressor=SMALL, hidden=(8,), batch=2, **options)


@pytest.fixture
def ranker() -> tuple[Ranker, keras.Model]:
    keras.utils.set_random_seed(1)
    ranker = Ranker(small(tastes=5), 6)
    return ranker, ranker.training_model(TABLE)


def served_inputs(data: Examples) -> dict[str, Any]:
    candidates = np.zeros((len(data), MAX_CANDIDATES), int)
    candidates[:, : data.candidates.shape[1]] = data.candidates
    priors = np.zeros(candidates.shape, np.float32)
    priors[:, : data.candidates.shape[1]] = data.priors
    return {
        "embedding": data.embeddings,
        "probabilities": data.probabilities,
        "history_vectors": TABLE[data.history],
        "history_mask": data.history > 0,
        "candidate_vectors": TABLE[candidates],
        "candidate_mask": candidates > 0,
        "candidate_priors": priors,
    }


def test_served_graph_ranks_as_the_training_graph(ranker: tuple[Ranker, keras.Model], tmp_path: Path) -> None:
    layers, model = ranker
    data = examples()
    layers.served_model().save(tmp_path / "ranker.keras")
    served = keras.saving.load_model(tmp_path / "ranker.keras")
    logits = served.predict_on_batch(served_inputs(data))
    trained = predict_logits(model, data, KNOWN)
    shown = data.candidates > 0
    np.testing.assert_allclose(logits[:, : shown.shape[1]][shown], trained[shown], atol=1e-4)
    assert (logits[:, shown.shape[1] :] == MASKED_LOGIT).all()
    assert np.isfinite(logits).all()


def test_an_empty_history_and_unknown_user_have_finite_logits(ranker: tuple[Ranker, keras.Model]) -> None:
    inputs = {name: np.zeros_like(value) for name, value in served_inputs(examples()).items()}
    assert np.isfinite(ranker[0].served_model().predict_on_batch(inputs)).all()


def test_only_a_ranker_without_ids_is_served() -> None:
    with pytest.raises(ValueError, match="without ids"):
        Ranker(small(ids=True), 6).served_model()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("candidate", "history"), [(True, True), (False, True), (True, False)])
def test_every_row_of_the_ablation_can_be_built(pooling: str, candidate: bool, history: bool) -> None:
    config = small(ids=True, pooling=pooling, candidate_picture=candidate, history_pictures=history)
    model = Ranker(config, 6).training_model(TABLE)
    assert predict_logits(model, examples(), KNOWN).shape == (5, 7)


def test_ids_do_not_tell_unseen_pictures_apart() -> None:
    config = small(ids=True, candidate_picture=False, history_pictures=False)
    model = Ranker(config, 6).training_model(TABLE)
    data = examples()
    data.candidates[:] = np.arange(21, 28)
    data.priors[:] = 0.5
    logits = predict_logits(model, data, KNOWN)
    np.testing.assert_allclose(logits, np.repeat(logits[:, :1], 7, axis=1), atol=1e-6)


def test_calibration_is_folded_into_the_last_layer(ranker: tuple[Ranker, keras.Model]) -> None:
    layers, model = ranker
    data = examples(200 // 7)
    before = predict_logits(model, data, KNOWN)
    slope, offset = calibrate(layers, before, data)
    after = predict_logits(model, data, KNOWN)
    np.testing.assert_allclose(after, slope * before + offset, atol=1e-4)
    shown = data.liked != PADDING
    # The fitted line makes the mean probability that of the likes.
    assert expit(after[shown]).mean() == pytest.approx(data.liked[shown].mean(), abs=1e-3)


def test_partial_warm_start_keeps_new_id_embeddings() -> None:
    models = []
    for seed in (1, 2, 3):
        keras.utils.set_random_seed(seed)
        models.append(Ranker(small(ids=True), 6).training_model(TABLE))
    yesterday, partial, full = models
    fresh = partial.get_layer("id_embedding").get_weights()[0]
    set_weights(partial, weights_of(yesterday), with_ids=False)
    set_weights(full, weights_of(yesterday), with_ids=True)
    np.testing.assert_array_equal(partial.get_layer("id_embedding").get_weights()[0], fresh)
    data = examples()
    np.testing.assert_array_equal(predict_logits(full, data, KNOWN), predict_logits(yesterday, data, KNOWN))
    np.testing.assert_array_equal(
        partial.get_layer("logit").get_weights()[0], yesterday.get_layer("logit").get_weights()[0]
    )


def test_weights_of_another_model_are_refused(ranker: tuple[Ranker, keras.Model]) -> None:
    with pytest.raises(ConfigError, match=r"warm start: expected .* got none"):
        set_weights(ranker[1], {}, with_ids=True)


def test_pre_ranker_is_an_inner_product(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = two_tower_model(TABLE)
    towers = model.get_layer("towers")
    towers.set_weights([RNG.normal(size=weight.shape) for weight in towers.weights])
    towers.save_npz(tmp_path / "prerank.npz")
    weights, data = np.load(tmp_path / "prerank.npz"), examples()
    vectors, kept = TABLE[data.history], data.history > 0
    mean = np.where(
        kept.any(axis=1)[:, None],
        (vectors * kept[..., None]).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)[:, None],
        weights["null_history"],
    )
    user = mean @ weights["history"] + data.probabilities @ weights["probabilities"] + weights["bias"]
    odds = np.clip(data.priors, 0.0025, 0.9975)
    expected = np.einsum("nd,nkd->nk", user, TABLE[data.candidates]) + weights["prior"] * np.log(odds / (1 - odds))
    np.testing.assert_allclose(predict_logits(model, data, KNOWN), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "mean"}, "expected a pooling"),
        ({"candidate_picture": False}, "same score"),
        ({"tastes": 5, "history_pictures": False}, "tastes are read from both"),
    ],
    ids=["pooling", "nothing about the candidate", "tastes without a history"],
)
def test_invalid_configs_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(**options)
