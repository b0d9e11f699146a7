"""The exact P(like) is calibrated, equals a slow posterior, and ranks better with more knowledge."""

from functools import cache

import numpy as np
import pytest

from genderprep.tensors import LABELS
from training.arrays import BoolsN, FloatsNK
from training.evaluation.ranking import like_calibration_error, user_auc
from training.synthetic.preference_ceiling import KNOWLEDGE, Knowledge, p_like, p_type
from training.synthetic.preference_log import impressions_of
from training.synthetic.preference_pictures import Stock, publish
from training.synthetic.preference_sessions import Profiles, Sessions, draw_profiles, draw_sessions
from training.synthetic.preferences import CELLS, World, cells_of, draw_world

PICTURES = 8 * len(CELLS)


@cache
def world(strength: float = 0.5) -> World:
    return draw_world(1, strength)


@cache
def stock() -> Stock:
    cells = np.arange(PICTURES) % len(CELLS)
    held_out = np.arange(PICTURES) >= PICTURES - len(CELLS)
    return publish(np.arange(101, 101 + PICTURES), cells, held_out, days=6, window=3, seed=1)


@cache
def profiles() -> Profiles:
    return draw_profiles(300, 1)


@cache
def sessions(strength: float = 0.5) -> Sessions:
    return draw_sessions(world(strength), stock(), profiles(), 4000, seed=1)


@cache
def seen() -> BoolsN:
    return np.asarray(stock().days < stock().last_day)


@cache
def exact(name: str) -> FloatsNK:
    return p_like(world(), stock(), sessions(), seen(), KNOWLEDGE[name])


@pytest.mark.parametrize("name", KNOWLEDGE)
def test_exact_probability_is_calibrated(name: str) -> None:
    assert like_calibration_error(sessions().liked.ravel().astype(float), exact(name).ravel()) < 0.01


def test_posterior_is_that_of_a_slow_enumeration() -> None:
    tables, posterior = world(), p_type(world(), stock(), sessions(), seen(), KNOWLEDGE["all"])
    normalizer = [sum(tables.exposure[c] * tables.p_like[t, c] for c in range(len(CELLS))) for t in range(12)]
    for user in (0, 700, 2500):
        expected = []
        for taste in range(12):
            p = sessions().p_female[user]
            value = (1 - p) * tables.p_type[0, taste] + p * tables.p_type[1, taste]
            for row in sessions().history[user]:
                if row >= 0:
                    cell = stock().cells[row]
                    value *= tables.exposure[cell] * tables.p_like[taste, cell] / normalizer[taste]
            expected.append(value)
        np.testing.assert_allclose(posterior[user], np.array(expected) / sum(expected), rtol=1e-6)


def test_more_knowledge_ranks_better() -> None:
    gauc = {name: user_auc(sessions().liked, exact(name)).mean() for name in KNOWLEDGE}
    order = ("popularity", "predicted gender", "true gender", "history as pictures", "all")
    assert [gauc[name] for name in order] == sorted(gauc[name] for name in order)
    assert gauc["popularity"] < gauc["history as ids"] < gauc["history as pictures"]


def test_ids_cannot_rank_unseen_pictures() -> None:
    unseen = ~seen()[sessions().shown]
    assert unseen.any()
    assert user_auc(sessions().liked, exact("ids and predicted gender"), unseen).mean() == 0.5
    assert user_auc(sessions().liked, exact("all"), unseen).mean() > 0.6


def test_gender_tells_nothing_at_strength_zero() -> None:
    tables, users = world(0.0), sessions(0.0)
    np.testing.assert_allclose(tables.p_type, 1 / 12)
    with_gender, without = (
        p_like(tables, stock(), users, seen(), knowledge)
        for knowledge in (Knowledge("true", "pictures"), Knowledge("", "pictures"))
    )
    np.testing.assert_allclose(with_gender, without)


def test_taste_depends_on_gender_otherwise() -> None:
    assert LABELS == ("male", "female")
    assert np.abs(world().p_type[0] - world().p_type[1]).max() > 0.05
    np.testing.assert_allclose(world().p_type.sum(axis=1), 1)


def test_cells_are_shown_as_popular_as_they_are() -> None:
    for day in range(stock().window, stock().last_day + 1):
        rows = stock().active(day)
        shares = stock().shares(rows, world().exposure)
        np.testing.assert_allclose(np.bincount(stock().cells[rows], shares), world().exposure)


def test_history_has_the_distribution_of_the_posterior() -> None:
    taste = 3
    rows = sessions().history[sessions().types == taste]
    counts = np.bincount(stock().cells[rows[rows >= 0]], minlength=len(CELLS))
    expected = world().p_liked_cell[taste] * counts.sum()
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected.max())
    lengths = (sessions().history >= 0).sum(axis=1)
    assert (lengths.min(), lengths.max()) == (0, 50)


def test_only_published_pictures_occur() -> None:
    users = sessions()
    shown_days = stock().days[users.shown]
    assert (shown_days <= users.days[:, None]).all()
    assert (shown_days > users.days[:, None] - stock().window).all()
    earlier = np.where(users.history >= 0, stock().days[users.history], -1)
    assert (earlier < users.days[:, None]).all()
    # Each list shows a picture once.
    assert all(len(set(row)) == len(row) for row in users.shown)


def test_propensities_are_those_of_plackett_luce() -> None:
    users = sessions()
    for user in (0, 3999):
        rows = stock().active(users.days[user])
        shares = dict(zip(rows, stock().shares(rows, world().exposure), strict=True))
        left = 1.0
        for picture, propensity in zip(users.shown[user], users.propensities[user], strict=True):
            assert propensity == pytest.approx(shares[picture] / left)
            left -= shares[picture]


def test_a_cell_without_pictures_is_an_error() -> None:
    few = Stock(np.array([1]), np.array([0]), np.array([0]), np.array([1.0]), 2)
    with pytest.raises(ValueError, match="expected a picture of each of 96 cells, got 1"):
        few.shares(np.array([0]), world().exposure)


def test_impressions_have_ids_and_times_of_the_day() -> None:
    table = impressions_of(sessions(), stock(), profiles())
    assert len(table) == len(sessions())
    first = table.iloc[0]
    np.testing.assert_array_equal(first["pictures"], stock().ids[sessions().shown[0]])
    assert len(first["history"]) == (sessions().history[0] >= 0).sum()
    days = (table["time"].dt.normalize() - table["time"].dt.normalize().min()).dt.days
    np.testing.assert_array_equal(days, sessions().days - sessions().days.min())


def test_cells_are_pairs_of_theme_and_style() -> None:
    themes, styles = zip(*CELLS, strict=True)
    np.testing.assert_array_equal(cells_of(themes, styles), np.arange(96))
