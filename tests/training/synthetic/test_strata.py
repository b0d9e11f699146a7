"""Posteriors follow Bayes' rule, and the evidence of nicknames and portraits is calibrated."""

import math
from collections import Counter
from itertools import product
from random import Random
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from genderprep.tensors import LABELS
from training.synthetic.drawing import draw_portrait_with_evidence
from training.synthetic.nicknames import Names, _han_likelihood, builtin_names, compose
from training.synthetic.strata import (
    NO_SIGNAL,
    STRATA,
    UNOBSERVED,
    Evidence,
    certain_evidence,
    draw_stratum,
    posterior,
    signaled_gender,
)

MALE, FEMALE = (certain_evidence(gender) for gender in LABELS)
UNISEX: Final = Names({"male": {"小明": 0.8, "明明": 0.2}, "female": {"小明": 0.1, "明": 0.9}}, builtin_names().latin)


def test_shares_equal_the_article() -> None:
    assert math.isclose(sum(stratum.share for stratum in STRATA), 1)
    (neither,) = [stratum.share for stratum in STRATA if stratum.name == "neither"]
    assert math.isclose(neither, 80 / 300)
    assert math.isclose(1 - neither + neither / 2, 0.8667, abs_tol=1e-4)


@pytest.mark.parametrize(
    ("avatar", "nickname", "female"),
    [
        (FEMALE, FEMALE, 1),
        (MALE, NO_SIGNAL, 0),
        (NO_SIGNAL, FEMALE, 1),
        (NO_SIGNAL, NO_SIGNAL, 0.5),
        (UNOBSERVED, UNOBSERVED, 0.5),
        # Of 12 contradictions, the nickname is right in 9.
        (MALE, FEMALE, 9 / 12),
        (FEMALE, MALE, 3 / 12),
        # Of 300 avatars, 116 + 46 + 3 are right and 9 misleading; of the nicknames, 116 + 46 + 9 and 3.
        (FEMALE, UNOBSERVED, 165 / 174),
        (UNOBSERVED, MALE, 3 / 174),
        # A likelihood ratio of 3 in the nickname alone.
        (NO_SIGNAL, Evidence(0, 0.1, 0.3), 0.75),
    ],
)
def test_posterior(avatar: Evidence, nickname: Evidence, female: float) -> None:
    assert math.isclose(posterior(avatar, nickname), female, abs_tol=1e-12)


@pytest.mark.parametrize("signals", [*product((MALE, FEMALE, NO_SIGNAL), repeat=2)])
def test_every_combination_has_a_posterior(signals: tuple[Evidence, Evidence]) -> None:
    assert 0 <= posterior(*signals) <= 1


def test_han_likelihood_sums_over_all_forms() -> None:
    def male(text: str) -> float:
        return _han_likelihood(text, "male", UNISEX)

    # The forms: the name alone, and 小 or 阿 before the last character of a name. Women also have 小 before 明.
    assert math.isclose(male("小明"), 0.3 * 0.8 + 0.12 * 1.0 / 2)
    assert math.isclose(_han_likelihood("小明", "female", UNISEX), 0.3 * 0.1 + 0.08 * 0.9 + 0.12 * 1.0 / 2)
    # The forms: the name alone, and the last character twice.
    assert math.isclose(male("明明"), 0.3 * 0.2 + 0.1 * 1.0)
    assert math.isclose(male("王小明"), 0.35 * 0.8 / 20)
    assert math.isclose(male("X明明"), 0.05 * 0.2)
    assert male("国强") == 0


@pytest.mark.parametrize("names", [builtin_names(), UNISEX], ids=["own", "unisex"])
def test_nickname_evidence_is_calibrated(names: Names) -> None:
    claims, women = [], []
    for seed in range(12_000):
        gender = LABELS[seed % 2]
        evidence = compose(gender, names, Random(seed)).evidence
        claims.append(evidence.female / (evidence.male + evidence.female))
        women.append(gender == "female")
    assert_calibrated(np.array(claims), np.array(women))


def test_han_likelihood_equals_frequencies() -> None:
    counts = {gender: Counter[str]() for gender in LABELS}
    for gender in LABELS:
        counts[gender].update(compose(gender, UNISEX, Random(f"{gender}{seed}")).text for seed in range(20_000))
    for text in ("小明", "明明"):
        measured = counts["male"][text] / counts["female"][text]
        # Men and women add no emoji in 0.88 and 0.7 of nicknames.
        expected = _han_likelihood(text, "male", UNISEX) * 0.88 / (_han_likelihood(text, "female", UNISEX) * 0.7)
        assert measured == pytest.approx(expected, rel=0.12)


def test_neutral_nicknames_have_no_signal() -> None:
    nicknames = [compose("", builtin_names(), Random(seed)) for seed in range(2000)]
    assert {nickname.evidence for nickname in nicknames} == {NO_SIGNAL}
    assert 130 < sum(nickname.text == "" for nickname in nicknames) < 270
    gendered = {compose(gender, builtin_names(), Random(seed)).text for gender in LABELS for seed in range(2000)}
    assert not gendered & {nickname.text for nickname in nicknames}


def test_portrait_evidence_is_mostly_right() -> None:
    evidence = [(gender, draw_portrait_with_evidence(gender, seed)[1]) for seed in range(30) for gender in LABELS]
    claims = np.array([e.female / (e.male + e.female) for _, e in evidence])
    women = np.array([gender == "female" for gender, _ in evidence])
    assert ((claims > 0.5) == women).mean() > 0.95
    assert all(e.none == 0 and 0 <= e.of(gender) <= 1 for gender, e in evidence)
    assert {e.female for _, e in evidence} >= {0.0}


def test_posteriors_of_a_population_are_calibrated() -> None:
    known, women = [], []
    for seed in range(20_000):
        rng = Random(seed)
        gender, stratum = rng.choice(LABELS), draw_stratum(rng)
        nickname = compose(signaled_gender(stratum.nickname, gender), UNISEX, rng).evidence
        known.append(posterior(certain_evidence(signaled_gender(stratum.avatar, gender)), nickname))
        women.append(gender == "female")
    assert_calibrated(np.array(known), np.array(women))


def assert_calibrated(claims: NDArray[np.float64], women: NDArray[np.bool_]) -> None:
    bins = np.minimum((claims * 10).astype(int), 9)
    checked = 0
    for index in range(10):
        here = bins == index
        if here.sum() > 50:
            spread = 4 * math.sqrt(max(claims[here].mean() * (1 - claims[here].mean()), 1e-3) / here.sum())
            assert women[here].mean() == pytest.approx(claims[here].mean(), abs=spread)
            checked += 1
    assert checked >= 2
