"""Compose nicknames from given names, nouns, sentiments, emoji and ornaments.

The evidence of each nickname is exact: each gendered part has known likelihoods for both genders, and all other parts
are equally likely for both.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Final

import pandas as pd

from genderprep.tensors import LABELS

from . import words
from .strata import NO_SIGNAL, OPPOSITE, Evidence

# P(text | gender) of a composed part, by gender.
Likelihood = Callable[[str], float]
Part = tuple[str, Likelihood]

# The shares of the forms in `_han`.
_HAN_FORMS: Final = (0.35, 0.3, 0.05, 0.12, 0.1, 0.08)
# Share of gendered emoji that match the gender of the nickname.
_OWN_EMOJI: Final = 0.85
# Share of nicknames that end with an emoji, by gender.
_EMOJI_AT_END: Final = {"male": 0.12, "female": 0.3}


@dataclass(frozen=True)
class Nickname:
    text: str
    evidence: Evidence


@dataclass(frozen=True)
class Names:
    """Names by gender: Chinese given names with weights, and Latin first names."""

    han: dict[str, dict[str, float]]
    latin: dict[str, Sequence[str]]

    @cached_property
    def han_cumulative(self) -> dict[str, tuple[list[str], list[float]]]:
        """Names and cumulative weights by gender, the fast input of `Random.choices`."""
        return {gender: (list(names), list(accumulate(names.values()))) for gender, names in self.han.items()}

    @cached_property
    def han_endings(self) -> dict[str, dict[str, float]]:
        """Weights of the last characters by gender."""
        endings: dict[str, dict[str, float]] = {gender: defaultdict(float) for gender in LABELS}
        for gender, names in self.han.items():
            for name, weight in names.items():
                endings[gender][name[-1]] += weight
        return endings

    @cached_property
    def latin_shares(self) -> dict[str, dict[str, float]]:
        """Share of each case-folded first name by gender."""
        counts = {gender: Counter(name.casefold() for name in names) for gender, names in self.latin.items()}
        return {gender: {name: n / c.total() for name, n in c.items()} for gender, c in counts.items()}


def builtin_names() -> Names:
    """Return the short lists of this repository."""
    return Names({g: _shares(dict.fromkeys(words.HAN_NAMES[g], 1)) for g in LABELS}, dict(words.LATIN_NAMES))


def read_names(folder: Path) -> Names:
    """Read `zh_full_names.csv` (name,n_male,n_female) and `latin_first_names.csv` (name,gender)."""
    neutral = {sentiment.casefold() for sentiment in words.SENTIMENTS}
    han: dict[str, Counter[str]] = {gender: Counter() for gender in LABELS}
    full_names = pd.read_csv(folder / "zh_full_names.csv", keep_default_na=False)
    for name, *counts in full_names[["name", *(f"n_{gender}" for gender in LABELS)]].itertuples(index=False):
        given = name[1:]
        if len(given) in (1, 2) and given not in neutral:
            for gender, count in zip(LABELS, counts, strict=True):
                han[gender][given] += int(count)
    latin = pd.read_csv(folder / "latin_first_names.csv", keep_default_na=False)
    latin = latin[~latin["name"].str.casefold().isin(neutral)]
    return Names(
        {gender: _shares(counts) for gender, counts in han.items()},
        {gender: latin["name"][latin["gender"] == gender].tolist() for gender in LABELS},
    )


def compose(gender: str, names: Names, rng: Random) -> Nickname:
    """Compose a nickname that signals `gender`, or a neutral one if `gender` is empty."""
    if not gender:
        return Nickname(_neutral(rng), NO_SIGNAL)
    (kind,) = rng.choices((_han, _latin, _title, _word, _emoji_name), weights=(45, 20, 10, 13, 12))
    text, likelihood = kind(gender, names, rng)
    ending, ending_likelihood = ("", lambda _: 1.0) if kind is _emoji_name else _emoji_ending(gender, rng)
    evidence = Evidence(0, *(likelihood(g) * ending_likelihood(g) for g in LABELS))
    return Nickname(_ornamented(text + ending, 0.12, rng), evidence)


def _neutral(rng: Random) -> str:
    """Compose a neutral nickname; some are empty or the platform's placeholder."""
    choice = rng.random()
    if choice < 0.13:
        return "" if choice < 0.1 else "微信用户"
    base = rng.choice(words.SENTIMENTS)
    if rng.random() < 0.3:
        base += rng.choice(words.SHARED_EMOJI)
    if rng.random() < 0.15:
        base += str(rng.randint(1, 2025))
    return _ornamented(base, 0.15, rng)


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items() if weight}


def _han(gender: str, names: Names, rng: Random) -> Part:
    population, totals = names.han_cumulative[gender]
    (given,) = rng.choices(population, cum_weights=totals)
    forms: tuple[Callable[[], str], ...] = (
        lambda: rng.choice(words.SURNAMES) + given,
        lambda: given,
        lambda: "X" + given,
        lambda: rng.choice("小阿") + given[-1],
        lambda: given[-1] * 2,
        lambda: "小" + given,
    )
    (form,) = rng.choices(forms, _HAN_FORMS)
    text = form()
    return text, lambda g: _han_likelihood(text, g, names)


def _han_likelihood(text: str, gender: str, names: Names) -> float:
    """Return P(`text` | gender) under `_han`, summed over all forms that produce it."""
    given, endings = names.han[gender], names.han_endings[gender]
    first, rest = text[0], text[1:]
    by_form = (
        (first in words.SURNAMES) * given.get(rest, 0) / len(words.SURNAMES),
        given.get(text, 0),
        (first == "X") * given.get(rest, 0),
        (first in "小阿") * endings.get(rest, 0) / 2,
        (first == rest) * endings.get(first, 0),
        (first == "小") * given.get(rest, 0),
    )
    return sum(share * likelihood for share, likelihood in zip(_HAN_FORMS, by_form, strict=True))


def _latin(gender: str, names: Names, rng: Random) -> Part:
    name = rng.choice(names.latin[gender])
    handle = rng.choice((name, name, name.lower(), name.upper()))
    if rng.random() < 0.35:
        handle += rng.choice(("", "", "_", ".")) + str(rng.randint(1, 2010))
    return handle, lambda g: names.latin_shares[g].get(name.casefold(), 0)


def _title(gender: str, _: Names, rng: Random) -> Part:
    trade = rng.choice(words.TRADES) if rng.random() < 0.5 else ""
    prefix = "AAA" if trade and rng.random() < 0.5 else ""
    return prefix + trade + rng.choice(words.SURNAMES) + rng.choice(words.TITLES[gender]), lambda g: float(g == gender)


def _word(gender: str, _: Names, rng: Random) -> Part:
    return rng.choice(("", "", "小", "快乐的", "一个")) + rng.choice(words.WORDS[gender]), lambda g: float(g == gender)


def _emoji_name(gender: str, _: Names, rng: Random) -> Part:
    emojis = [_gendered_emoji(gender, rng) for _ in range(rng.randint(1, 3))]
    text = rng.choice(words.SENTIMENTS) + "".join(emojis)
    return text, lambda g: math.prod(_emoji_likelihood(emoji, g) for emoji in emojis)


def _emoji_ending(gender: str, rng: Random) -> Part:
    if rng.random() >= _EMOJI_AT_END[gender]:
        return "", lambda g: 1 - _EMOJI_AT_END[g]
    if rng.random() < 0.5:
        return rng.choice(words.SHARED_EMOJI), lambda g: _EMOJI_AT_END[g]
    emoji = _gendered_emoji(gender, rng)
    return emoji, lambda g: _EMOJI_AT_END[g] * _emoji_likelihood(emoji, g)


def _gendered_emoji(gender: str, rng: Random) -> str:
    own = rng.random() < _OWN_EMOJI
    return rng.choice(words.EMOJI[gender if own else OPPOSITE[gender]])


def _emoji_likelihood(emoji: str, gender: str) -> float:
    return _OWN_EMOJI if emoji in words.EMOJI[gender] else 1 - _OWN_EMOJI


def _ornamented(text: str, probability: float, rng: Random) -> str:
    return rng.choice(words.ORNAMENTS).format(text) if rng.random() < probability else text
