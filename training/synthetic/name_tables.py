"""Tables of given names: how common each is, and P(female | name), smoothed.

The sources are the CSV files of a folder (`zh_full_names`, `latin_first_names`, `asian_given_names`) and the packages
`names` (names of the US census of 1990), `Faker` (lists of many countries) and `pypinyin` (readings). Both
genders count equally. A name that a list holds once is no certain evidence, so its share is drawn towards a prior:
for Chinese names that of its characters in other names, else one half.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from pkgutil import iter_modules
from typing import Final

import pandas as pd
import regex
from faker.providers import person
from pypinyin import lazy_pinyin

from genderprep.tensors import LABELS
from genderprep.text import segment

# Counts of male and female bearers.
Counts = dict[str, tuple[float, float]]

# Bearers that the prior of a name counts as.
_HAN_PRIOR: Final = 2.0
_PRIOR: Final = 0.3
# Names are drawn in proportion to this power of their frequency.
_POWER: Final = 0.5
_COUNTS_PER_PERCENT: Final = 300
_HAN: Final = regex.compile(r"\p{Han}+")
_LATIN: Final = regex.compile(r"[\p{Latin}'’\-. ]+")


@dataclass(frozen=True)
class NameTable:
    """Names with their sampling weights and P(female | name)."""

    weights: dict[str, float]
    p_female: dict[str, float]


@dataclass(frozen=True)
class NameTables:
    """Tables by script, and the shares of Chinese and of Latin surnames.

    `han_endings` holds the last characters of Chinese given names, which people double (婷婷) or prefix (小婷).
    """

    han: NameTable
    han_endings: NameTable
    pinyin: NameTable
    latin: NameTable
    japanese: NameTable
    others: NameTable
    surnames: dict[str, float]
    latin_surnames: dict[str, float]


def read_tables(folder: Path) -> NameTables:
    """Read the CSV files of a folder and the lists of the packages."""
    full = pd.read_csv(folder / "zh_full_names.csv", keep_default_na=False)
    asian = pd.read_csv(folder / "asian_given_names.csv", keep_default_na=False)
    faker = list(_faker_names())
    han: Counter[tuple[str, str]] = Counter()
    surnames: Counter[str] = Counter()
    for name, *counts in full[["name", *(f"n_{gender}" for gender in LABELS)]].itertuples(index=False):
        given = _plain(name[1:])
        if len(given) in (1, 2):
            surnames[_plain(name[0])] += sum(counts)
            han.update({(given, gender): count for gender, count in zip(LABELS, counts, strict=True)})
    chinese = asian[asian["lang"].str.startswith("zh")]
    han.update((_plain(name), gender) for name, gender in zip(chinese["name"], chinese["gender"], strict=True))
    given_names = _balanced(han)
    han_table = _table(given_names, _HAN_PRIOR, _character_prior(given_names))
    japanese = asian[asian["lang"] == "ja"]
    listed = {column: _pairs(japanese, column) for column in ("name", "reading", "romaji")}
    rest = [*_pairs(asian[~asian["lang"].isin(["ja", *chinese["lang"]])], "name"), *faker]
    latin = [*_pairs(pd.read_csv(folder / "latin_first_names.csv", keep_default_na=False), "name"), *rest]
    return NameTables(
        han=han_table,
        han_endings=_table(_merged(given_names, lambda name: name[-1]), _HAN_PRIOR),
        pinyin=_transcribed(han_table),
        latin=_table(_balanced(_counts(p for p in latin if _LATIN.fullmatch(p[0])) + _census_counts()), _PRIOR),
        japanese=_table(_balanced(_counts(pair for pairs in listed.values() for pair in pairs)), _PRIOR),
        others=_table(
            _balanced(_counts(p for p in rest if not _LATIN.fullmatch(p[0]) and not _HAN.search(p[0]))), _PRIOR
        ),
        surnames={surname: float(count) for surname, count in surnames.items() if count >= 20},
        latin_surnames={surname: percent**_POWER for surname, percent in _census_list("dist.all.last")},
    )


def _plain(name: str) -> str:
    """Return the name in normalized graphemes: simplified, without case and accents."""
    return "".join(segment(name)).strip()


def _pairs(table: pd.DataFrame, column: str) -> list[tuple[str, str]]:
    return [(name, gender) for name, gender in zip(table[column], table["gender"], strict=True) if name]


def _counts(pairs: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    return Counter((plain, gender) for name, gender in pairs if (plain := _plain(name)))


def _faker_names() -> Iterator[tuple[str, str]]:
    """Yield name and gender once for each country of Faker that lists it."""
    for locale in iter_modules(person.__path__):
        provider = import_module(f"{person.__name__}.{locale.name}").Provider
        for gender in LABELS:
            for name in set(getattr(provider, f"first_names_{gender}", ())):
                yield name, gender


def census() -> dict[str, list[tuple[str, float]]]:
    """Return the first names of the US census of 1990 by gender, the commonest first, with their percentages."""
    return {gender: _census_list(f"dist.{gender}.first") for gender in LABELS}


def _census_list(file: str) -> list[tuple[str, float]]:
    lines = (files("names") / file).read_text().splitlines()
    return [(name.lower(), float(percent)) for name, percent, *_ in map(str.split, lines)]


def _census_counts() -> Counter[tuple[str, str]]:
    """Return counts in which a common census name outweighs the errors of other lists."""
    counts: Counter[tuple[str, str]] = Counter()
    for gender, shares in census().items():
        counts |= Counter({(name, gender): round(percent * _COUNTS_PER_PERCENT) for name, percent in shares})
    return counts


def _balanced(counts: Mapping[tuple[str, str], int]) -> Counts:
    """Return the counts by name, scaled so that both genders have the same total."""
    totals = {gender: sum(n for (_, g), n in counts.items() if g == gender) for gender in LABELS}
    scales = {gender: sum(totals.values()) / 2 / total for gender, total in totals.items()}
    by_name: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (name, gender), count in counts.items():
        by_name[name][LABELS.index(gender)] += count * scales[gender]
    return {name: (male, female) for name, (male, female) in by_name.items() if male + female > 0}


def _table(counts: Counts, bearers: float, prior: Mapping[str, float] | None = None) -> NameTable:
    """Smooth the shares by a prior, one half by default, that counts as so many bearers."""
    p_female = {
        name: (female + bearers * (prior[name] if prior else 0.5)) / (male + female + bearers)
        for name, (male, female) in counts.items()
    }
    return NameTable({name: (male + female) ** _POWER for name, (male, female) in counts.items()}, p_female)


def _merged(counts: Counts, key: Callable[[str], str]) -> Counts:
    """Add up the counts of names with the same key."""
    merged: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for name, by_gender in counts.items():
        for index, count in enumerate(by_gender):
            merged[key(name)][index] += count
    return {name: (male, female) for name, (male, female) in merged.items()}


def _character_prior(counts: Counts) -> dict[str, float]:
    """Return P(female) of each name by naive Bayes over its characters in other names."""
    by_character: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for name, by_gender in counts.items():
        for character in name:
            for index, count in enumerate(by_gender):
                by_character[character][index] += count

    def log_odds(character: str, own: tuple[float, float]) -> float:
        male, female = (total - each for total, each in zip(by_character[character], own, strict=True))
        return math.log((female + 1) / (male + 1))

    return {name: 1 / (1 + math.exp(-sum(log_odds(c, own) for c in name))) for name, own in counts.items()}


def _transcribed(han: NameTable) -> NameTable:
    """Return the table of the names' readings without tones: names that sound the same are one."""
    weights: dict[str, float] = defaultdict(float)
    female: dict[str, float] = defaultdict(float)
    for name, weight in han.weights.items():
        reading = "".join(lazy_pinyin(name))
        weights[reading] += weight
        female[reading] += weight * han.p_female[name]
    return NameTable(dict(weights), {reading: female[reading] / weight for reading, weight in weights.items()})
