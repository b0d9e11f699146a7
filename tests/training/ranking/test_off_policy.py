"""Estimates of another policy's value, against a small world whose values are enumerated."""

import importlib
import sys
from itertools import permutations
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from training.ranking.off_policy import (
    PolicyValue,
    cumulative_weights,
    doubly_robust,
    inverse_propensity,
    plackett_luce,
    self_normalized,
)
from training.synthetic.preference_pictures import publish
from training.synthetic.preference_sessions import draw_profiles, draw_sessions
from training.synthetic.preferences import CELLS, draw_world

TYPES, PICTURES, PLACES = 3, 6, 3
RNG = np.random.default_rng(5)
P_LIKE = RNG.uniform(0.05, 0.8, (TYPES, PICTURES))
# The logging policy knows popularity, the target policy knows some of the taste.
LOGGED = np.tile(2 * P_LIKE.mean(axis=0), (TYPES, 1))
TARGET = 2 * P_LIKE + RNG.normal(0, 0.3, P_LIKE.shape)
ORDERS = np.array([*permutations(range(PICTURES), PLACES)])


def all_propensities(scores: Any) -> Any:
    """The probability of every list, of each type [T, L]."""
    return np.array([plackett_luce(np.tile(row, (len(ORDERS), 1)), ORDERS).prod(axis=1) for row in scores])


def is_near(estimate: PolicyValue, value: float) -> bool:
    return abs(estimate.value - value) <= 2 * estimate.standard_error


def true_value(scores: Any) -> float:
    likes = P_LIKE[:, ORDERS].sum(axis=2)
    return float((all_propensities(scores) * likes).sum(axis=1).mean())


class Log:
    """Lists that the logging policy has shown."""

    def __init__(self, count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.types = rng.integers(0, TYPES, count)
        keys = LOGGED[self.types] + rng.gumbel(size=(count, PICTURES))
        self.places = np.argsort(-keys, axis=1)[:, :PLACES]
        p_like = np.take_along_axis(P_LIKE[self.types], self.places, axis=1)
        self.liked = (rng.random(p_like.shape) < p_like).astype(float)
        self.logged = plackett_luce(LOGGED[self.types], self.places)
        self.target = plackett_luce(TARGET[self.types], self.places)

    def estimates(self, p_like: Any = P_LIKE) -> dict[str, PolicyValue]:
        scores, expected = TARGET[self.types], p_like[self.types]
        return {
            "inverse propensity": inverse_propensity(self.liked, self.logged, self.target),
            "self-normalized": self_normalized(self.liked, self.logged, self.target),
            "doubly robust": doubly_robust(self.liked, self.logged, scores, self.places, expected),
        }


def test_propensities_are_those_of_drawing_one_picture_after_another() -> None:
    scores = np.log([[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_allclose(plackett_luce(scores, np.array([[2, 0, 3]])), [[3 / 10, 1 / 7, 4 / 6]])


def test_all_lists_have_probability_1() -> None:
    np.testing.assert_allclose(all_propensities(TARGET).sum(axis=1), 1)


def test_pictures_that_are_no_candidates_have_propensity_0() -> None:
    scores = np.array([[0.0, -np.inf, 0.0]])
    np.testing.assert_allclose(plackett_luce(scores, np.array([[1, 0]])), [[0, 0.5]])


@pytest.mark.parametrize("estimator", ["inverse propensity", "self-normalized", "doubly robust"])
def test_estimates_are_as_near_to_the_truth_as_their_errors_say(estimator: str) -> None:
    truth = true_value(TARGET)
    assert truth > true_value(LOGGED) + 0.05
    estimates = [Log(1000, seed).estimates()[estimator] for seed in range(200)]
    distances = [(each.value - truth) / each.standard_error for each in estimates]
    assert np.mean([is_near(each, truth) for each in estimates]) == pytest.approx(0.954, abs=0.04)
    assert np.std(distances) == pytest.approx(1, abs=0.15)
    # The mean of 200 estimates: no bias.
    assert np.mean(distances) == pytest.approx(0, abs=0.25)


def test_normalization_and_a_model_of_the_likes_make_the_estimate_more_precise() -> None:
    estimates = Log(5000, 0).estimates()
    assert estimates["self-normalized"].standard_error < estimates["inverse propensity"].standard_error
    assert estimates["doubly robust"].standard_error < estimates["inverse propensity"].standard_error


def test_a_wrong_model_of_the_likes_does_no_harm_but_to_precision() -> None:
    values = [Log(1000, seed).estimates(1 - P_LIKE)["doubly robust"].value for seed in range(100)]
    assert np.mean(values) == pytest.approx(true_value(TARGET), abs=4 * float(np.std(values)) / 10)


@pytest.mark.parametrize("estimate", [inverse_propensity, self_normalized])
def test_value_of_the_logging_policy_is_the_mean(estimate: Any) -> None:
    log = Log(500, 1)
    likes = log.liked.sum(axis=1)
    value = estimate(log.liked, log.logged, log.logged)
    assert value.value == pytest.approx(likes.mean())
    assert value.standard_error == pytest.approx(likes.std(ddof=1) / np.sqrt(500))
    assert value.effective_lists == pytest.approx(500)


def test_lists_of_one_user_do_not_count_as_independent() -> None:
    log = Log(400, 2)
    users = np.repeat(np.arange(400), 2)
    once = inverse_propensity(log.liked, log.logged, log.target)
    liked, logged, target = (np.repeat(values, 2, axis=0) for values in (log.liked, log.logged, log.target))
    assert inverse_propensity(liked, logged, target, users).standard_error == pytest.approx(once.standard_error)
    assert inverse_propensity(liked, logged, target).standard_error == pytest.approx(
        once.standard_error / np.sqrt(2), rel=0.01
    )


@pytest.mark.parametrize(
    ("logged", "target", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 2)), r"expected likes and propensities \[N, K\]"),
        (np.zeros((2, 3)), np.ones((2, 3)), "expected logged propensities above 0 and at most 1, got 6 others"),
        (np.ones((2, 3)), np.full((2, 3), np.nan), "expected target propensities between 0 and 1, got 6 others"),
    ],
)
def test_what_is_no_propensity_is_refused(logged: Any, target: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cumulative_weights(logged, target, np.zeros((2, 3)))


def obp_slate_estimators() -> Any:
    """The estimators of `obp`, without importing PyTorch and the rest of the package, which they do not use."""
    folder = Path(__file__).parents[3] / ".venv/obp/obp"
    if not folder.is_dir():
        pytest.skip("make .venv/obp.stamp installs obp")
    with pytest.MonkeyPatch.context() as patch:
        torch: Any = ModuleType("torch")
        torch.Tensor = type("Tensor", (), {})
        patch.setitem(sys.modules, "torch", torch)
        for name in ("obp", "obp.ope"):
            package = ModuleType(name)
            package.__path__ = [str(folder.parent / name.replace(".", "/"))]
            patch.setitem(sys.modules, name, package)
        return importlib.import_module("obp.ope.estimators_slate")


def test_inverse_propensity_equals_that_of_obp() -> None:
    log = Log(50, 3)
    value = (
        obp_slate_estimators()
        .SlateRewardInteractionIPS(len_list=PLACES)
        .estimate_policy_value(
            slate_id=np.repeat(np.arange(50), PLACES),
            reward=log.liked.ravel(),
            position=np.tile(np.arange(PLACES), 50),
            pscore_cascade=log.logged.cumprod(axis=1).ravel(),
            evaluation_policy_pscore_cascade=log.target.cumprod(axis=1).ravel(),
        )
    )
    assert inverse_propensity(log.liked, log.logged, log.target).value == pytest.approx(value)


def test_estimates_find_the_true_value_in_a_preference_world() -> None:
    world, rng = draw_world(0), np.random.default_rng(0)
    pictures = np.arange(4 * len(CELLS))
    stock = publish(pictures + 1, pictures % len(CELLS), pictures >= 3 * len(CELLS), days=4, window=3, seed=0)
    sessions = draw_sessions(world, stock, draw_profiles(500, 0), 4000, 0, range(3, 4), shown=PLACES)
    shown = stock.active(3)
    places = np.searchsorted(shown, sessions.shown)
    popularity = np.log(stock.shares(shown, world.exposure))
    p_like = world.p_like[:, stock.cells[shown]]
    logged = np.tile(popularity, (len(sessions), 1))
    np.testing.assert_allclose(plackett_luce(logged, places), sessions.propensities, rtol=1e-6)

    # The target policy also knows the users' gender.
    target = popularity + 3 * (world.p_type @ p_like)[sessions.female.astype(int)]
    drawn = np.argpartition(-(target + rng.gumbel(size=(5, *target.shape))), PLACES, axis=2)[:, :, :PLACES]
    truth = p_like[sessions.types[:, None], drawn].sum(axis=2).mean()
    expected = np.tile(p_like.mean(axis=0), (len(sessions), 1))
    arguments = sessions.liked.astype(float), sessions.propensities
    assert truth > sessions.liked.sum(axis=1).mean() + 0.05
    assert is_near(inverse_propensity(*arguments, plackett_luce(target, places)), truth)
    assert is_near(self_normalized(*arguments, plackett_luce(target, places)), truth)
    assert is_near(doubly_robust(*arguments, target, places, expected), truth)
