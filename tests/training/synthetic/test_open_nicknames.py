"""Open-world nicknames: soft posteriors, held-out names and words, and spellings that normalize."""

import sys
import unicodedata
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest

from genderprep.tensors import LABELS
from genderprep.text import prepare_text, tokenize
from training.data.manifest import SPLITS, Manifest
from training.synthetic import open_nicknames, open_words
from training.synthetic.name_tables import NameTable, NameTables, read_tables
from training.synthetic.nickname_sets import nickname_sets
from training.synthetic.open_nicknames import OWN_NAME, OpenWorld, part_split, write_open_nicknames
from training.synthetic.spelling import SPELLINGS

# Written for this test: surnames, given names and first names.
GIVEN = {"国强": (9, 0), "婷": (0, 7), "子涵": (4, 4), "雨": (1, 3)} | {
    first + last: (index % 2, 1 - index % 2)
    for index, last in enumerate(map(chr, range(0x6C40, 0x6CA4)))
    for first in "美建"
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    full = [f"{surname}{given},{m * 5},{f * 5}" for surname in "王李" for given, (m, f) in GIVEN.items()]
    (folder / "zh_full_names.csv").write_text("\n".join(["name,n_male,n_female", *full]), "utf-8")
    (folder / "latin_first_names.csv").write_text("name,gender\nJack,male\nLucie,female\n", "utf-8")
    japanese = [f"{kanji}子,,,{LABELS[index % 2]},ja" for index, kanji in enumerate(map(chr, range(0x6E40, 0x6EA4)))]
    asian = [
        "name,reading,romaji,gender,lang",
        *japanese,
        "健,けん,Ken,male,ja",
        "國華,,,male,zh_TW",
        "지우,,,female,ko",
    ]
    (folder / "asian_given_names.csv").write_text("\n".join(asian), "utf-8")
    return folder


@pytest.fixture(scope="module")
def tables(folder: Path) -> NameTables:
    return read_tables(folder)


def test_shares_follow_the_lists_and_are_never_certain(tables: NameTables) -> None:
    p_female = tables.han.p_female
    assert p_female["国强"] < 0.05 < 0.3 < p_female["子涵"] < 0.7 < 0.95 < p_female["婷"]
    assert "国华" in p_female
    assert tables.latin.p_female["mary"] > 0.95 > 0.05 > tables.latin.p_female["james"]
    assert tables.pinyin.p_female["ting"] == pytest.approx(p_female["婷"])
    for table in (tables.han, tables.latin, tables.japanese, tables.others):
        assert 0 < min(table.p_female.values()) <= max(table.p_female.values()) < 1


def test_common_names_are_drawn_more_often(tables: NameTables) -> None:
    assert tables.latin.weights["mary"] > 5 * tables.latin.weights["lucie"]
    assert tables.surnames.keys() == {"王", "李"}


def test_names_and_words_are_in_one_split(tables: NameTables) -> None:
    worlds = {split: OpenWorld(tables, split) for split in SPLITS}
    for pool in ("_latin", "_others"):
        seen = [set(getattr(world, pool)[0].items) for world in worlds.values()]
        assert sum(map(len, seen)) == len(set().union(*seen))
    words = [set(world._chinese.items) for world in worlds.values()]
    assert sum(map(len, words)) == len(set().union(*words)) > 100_000
    assert len(words[0]) > 10 * len(words[1]) > 1000


def test_common_names_are_train_rows_only(tables: NameTables) -> None:
    worlds = {split: OpenWorld(tables, split) for split in SPLITS}
    names = {split: {*world._latin[0].items} for split, world in worlds.items()}
    assert {part_split("emma"), part_split("noah")} == {"test", "train"}
    assert {"emma", "noah"} <= names["train"]
    assert all(len(names[split]) > 100 for split in SPLITS)


def test_name_that_is_common_in_one_table_is_a_train_row_in_all(tables: NameTables) -> None:
    name = next(name for name in tables.latin.weights if part_split(name) == "test")
    common = NameTable({name: 1e6, **tables.japanese.weights}, {name: 0.5, **tables.japanese.p_female})
    test = OpenWorld(replace(tables, japanese=common), "test")
    assert name not in test._latin[0].items
    assert name in OpenWorld(tables, "test")._latin[0].items


def test_first_names_have_surnames_of_their_split(tables: NameTables) -> None:
    world, rng = OpenWorld(tables, "test"), Random(2)
    texts = [world._latin_name(rng)[0].lower() for _ in range(2000)]
    surnames = {name for name in tables.latin_surnames if part_split(name) == "test"}
    with_surname = [text for text in texts if " " in text and text.split()[-1].rstrip("0123456789_.") in surnames]
    assert 200 < len(with_surname) < 500


def test_punctuation_is_neutral(tables: NameTables) -> None:
    world, rng = OpenWorld(tables, "train"), Random(4)
    drawn = [world.neutral(rng) for _ in range(2000)]
    assert {p_female for _, p_female in drawn} == {0.5}
    assert sum(all(unicodedata.category(mark)[0] in "PS" for mark in text) for text, _ in drawn) > 20


def test_words_of_other_languages_are_neutral_and_in_one_split(tables: NameTables) -> None:
    worlds = {split: OpenWorld(tables, split) for split in SPLITS}
    words = {split: {word for _, every in world._foreign for word in every} for split, world in worlds.items()}
    assert {part_split(word) for word in words["test"]} == {"test"}
    assert {"солнце", "soleil"} <= set().union(*words.values())
    assert not {"homme", "mujer", "공주"} & set().union(*words.values())
    drawn = {worlds["train"]._foreign_words(Random(seed)).lower() for seed in range(500)}
    assert 200 < len(drawn & words["train"]) < 400


def test_splits_have_their_shares() -> None:
    counts = pd.Series([part_split(str(number)) for number in range(4000)]).value_counts(normalize=True)
    assert counts["train"] == pytest.approx(0.9, abs=0.02)
    assert counts["validation"] == pytest.approx(counts["test"], abs=0.02)


def test_neutral_nicknames_say_nothing_and_names_say_what_their_tables_say(tables: NameTables) -> None:
    world, rng = OpenWorld(tables, "train"), Random(3)
    composed = [world.compose(rng) for _ in range(4000)]
    by_kind = defaultdict(list)
    for nickname in composed:
        by_kind[nickname.kind].append(nickname.p_female)
    assert set(by_kind["neutral"]) == {0.5}
    assert len(by_kind["neutral"]) == pytest.approx(0.33 * len(composed), rel=0.1)
    assert 0.78 <= np.mean([max(p, 1 - p) for p in by_kind["word"]]) <= 0.93
    assert max(max(p, 1 - p) for p in by_kind["han"]) <= 0.999
    assert 0.7 < np.mean([max(p, 1 - p) for p in by_kind["latin"]]) < OWN_NAME


def test_nicknames_reach_every_length(tables: NameTables) -> None:
    world, rng = OpenWorld(tables, "train"), Random(3)
    lengths = [int((prepare_text(world.compose(rng).text.encode())[0] > 0).sum()) for _ in range(3000)]
    assert set(lengths) == set(range(1, 33))


def test_emoji_of_a_gender_are_not_neutral() -> None:
    neutral, gendered = set(open_words.neutral_emoji()), open_words.gendered_emoji()
    assert len(neutral) > 1200
    assert not neutral & gendered.keys()
    assert gendered["👩‍🚀"] == gendered["💄"] == 0.88
    assert gendered["🏃‍♂"] == pytest.approx(0.12)


@pytest.mark.parametrize("text", ["国强88", "小美🌸", "anna_1990", "长发绿叶🌹"])
def test_spellings_give_the_same_tokens(text: str) -> None:
    written = [spell(text) for spell in SPELLINGS]
    assert {tuple(tokenize(each)) for each in written} == {tuple(tokenize(text))}
    assert len(set(written)) > 3


def test_command_writes_a_manifest(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "runs" / "open.parquet"
    monkeypatch.setattr(sys, "argv", ["open", "--names", str(folder), "--out", str(file), "--count", "1500"])
    open_nicknames.main()
    table = pd.concat(Manifest(file, max_bad_rows=0).tables())
    assert table["split"].value_counts().to_dict() == {"train": 1440, "validation": 30, "test": 30}
    sure = table[(table["p_female"] - 0.5).abs() > 0.3]
    assert np.mean((sure["p_female"] > 0.5) == (sure["gender"] == "female")) > 0.8
    content = file.read_bytes()
    open_nicknames.main()
    assert file.read_bytes() == content


def test_sets_hold_unseen_nicknames_and_census_names(tables: NameTables, tmp_path: Path) -> None:
    file = write_open_nicknames(tables, 1500, tmp_path / "open.parquet", seed=1)
    sets = dict(list(nickname_sets(Manifest(file)).groupby("set")))
    nicknames = len(sets.pop("names")), len(sets.pop("other nicknames"))
    assert min(nicknames) > 0
    assert sum(nicknames) == 30
    assert {name: len(table) for name, table in sets.items()} == {
        "random words": 3000,
        "foreign words": 3000,
        "census": 200,
    }
    assert set(sets["random words"]["p_female"]) == set(sets["foreign words"]["p_female"]) == {0.5}
    assert sets["census"]["gender"].value_counts().to_dict() == {"female": 100, "male": 100}
    assert {"mary", "james"} <= set(sets["census"]["nickname"])
