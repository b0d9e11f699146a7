"""The nickname baseline: its features and gradient against slow versions, its traps, and that n-grams are the point."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genderprep import prep_digest
from genderprep.text import SENTINEL_NICKNAMES
from training.data.manifest import ManifestError, read_manifest, write_manifest
from training.gender import fasttext as command
from training.gender.config import ConfigError
from training.gender.fasttext import (
    END,
    LEARNING_RATES,
    START,
    FastText,
    FastTextConfig,
    Floats,
    batches_of,
    encode,
    fnv1a,
    gradients,
    grams,
    graphemes,
    mean_embedding,
    run,
)
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_nicknames

SMALL = FastTextConfig(buckets=2**12, batch=4, learning_rate=0.5)
RAW = replace(SMALL, raw=True)
ASTRONAUT = "👩🏽‍🚀"
NAMES = ["国强", "婷婷", "大勇", "美玲", "Jack", "Lucy", "海涛🏀", "丽娜🌹"] * 8
FEMALE = np.array([0, 1, 0, 1, 0, 1, 0, 1] * 8)


@pytest.fixture(scope="module")
def nicknames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nicknames(400, builtin_names(), tmp_path_factory.mktemp("nicknames"), seed=1)


def few_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "FastTextConfig", lambda **settings: replace(SMALL, **settings))


def accuracy(model: FastText, table: pd.DataFrame) -> float:
    return float(((model.predict(table["nickname"]) >= 0.5) == (table["gender"] == "female")).mean())


def slow_grams(clusters: list[str], longest: int) -> list[str]:
    marked = [START, *clusters, END]
    found = []
    for start in range(len(marked)):
        for end in range(start + 1, len(marked) + 1):
            gram = marked[start:end]
            if len(gram) <= longest and gram not in ([START], [END]):
                found.append("".join(gram))
    return sorted(found)


def slow_loss(embeddings: Floats, output: Floats, bias: float, users: list[tuple[list[int], int, float]]) -> float:
    total = 0.0
    for features, female, weight in users:
        hidden = sum((embeddings[f] for f in features), np.zeros_like(output)) / max(1, len(features))
        p = 1 / (1 + math.exp(-(hidden @ output + bias)))
        total -= weight * math.log(p if female else 1 - p)
    return total


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"b", 0xE70C2DE5), (b"foobar", 0xBF9CF968)],
)
def test_hash(data: bytes, expected: int) -> None:
    assert fnv1a(data) == expected


def test_grams_know_where_a_nickname_begins_and_ends() -> None:
    marked = [gram.replace(START, "^").replace(END, "$") for gram in grams("小宝", SMALL)]
    assert marked == ["小", "宝", "^小", "小宝", "宝$", "^小宝", "小宝$"]
    assert grams(f"{START}小{END}宝", SMALL) == grams("小宝", SMALL)


def test_one_feature_in_raw_mode() -> None:
    assert grams("小宝🌹", RAW) == [START + "小宝🌹" + END]
    assert encode(["小宝🌹", ""], RAW).tolist() == [[1 + fnv1a("\x02小宝🌹\x03".encode()) % 2**12], [0]]


@pytest.mark.parametrize("longest", [1, 2, 3, 50])
@pytest.mark.parametrize("nickname", ["小", "小宝", "哈哈哈哈", "Mr. Right ♂", ASTRONAUT + "小宝🌹", "x" * 50])
def test_features_equal_a_slow_version(nickname: str, longest: int) -> None:
    config = replace(SMALL, longest=longest)
    expected = slow_grams(graphemes(nickname), longest)
    assert sorted(grams(nickname, config)) == expected
    (row,) = encode([nickname], config)
    assert sorted(row[row > 0]) == sorted(1 + fnv1a(gram.encode()) % 2**12 for gram in expected)
    assert (row[len(expected) :] == 0).all()


def test_an_emoji_sequence_is_one_gram_whatever_its_skin() -> None:
    assert graphemes(f"小{ASTRONAUT}🇨🇳") == ["小", "👩‍🚀", "🇨🇳"]
    assert encode([ASTRONAUT], SMALL).tolist() == encode(["👩‍🚀"], SMALL).tolist()
    assert graphemes("🏽") == ["🏽"]


def test_composed_and_decomposed_letters_are_one() -> None:
    assert graphemes("Zoe\u0308") == graphemes("Zo\u00eb") == ["Z", "o", "\u00eb"]


def test_no_more_graphemes_than_the_text_tower_sees() -> None:
    assert len(graphemes(ASTRONAUT * 40)) == 32
    assert np.count_nonzero(encode(["x" * 40], SMALL)) == encode([""], SMALL).shape[1] == 97


@pytest.mark.parametrize("nickname", ["", " \n", "\u3164", "\u200b", *SENTINEL_NICKNAMES])
def test_a_missing_nickname_gets_the_prior(nickname: str) -> None:
    model = FastText(SMALL).fit(["国强", "婷婷", "美玲", nickname], np.array([0, 1, 1, 1]))
    assert grams(nickname, SMALL) == []
    assert model.predict([nickname]) == pytest.approx([0.75])


def test_weights_count_in_the_prior_and_in_the_step() -> None:
    model = FastText(SMALL).fit(["国强", "婷婷"], np.array([0, 1]), np.array([3, 1]))
    assert model.predict([""]) == pytest.approx([0.25])
    alone = FastText(SMALL).fit(["国强", "婷婷"], np.array([0, 1]), np.array([1, 0]))
    rows = encode(["婷婷"], SMALL)
    assert np.array_equal(alone.embeddings[rows], FastText(SMALL).embeddings[rows])


@pytest.mark.parametrize("text", ["__label__x", "__label__female", "a\nb", "a\r\nb", "a\tb", "a\0b", "a\ud800b"])
def test_a_nickname_is_text_and_nothing_else(text: str) -> None:
    model = FastText(SMALL).fit([text, "婷婷"] * 8, np.array([0, 1] * 8))
    assert graphemes("__label__x") == list("__label__x")
    assert graphemes("a\nb") == graphemes("a b") == ["a", " ", "b"]
    assert model.predict([text, "婷婷"]).round().tolist() == [0, 1]


@given(st.text(max_size=60))
def test_any_text_has_features(nickname: str) -> None:
    (row,) = encode([nickname], SMALL)
    assert row.min() >= 0
    assert row.max() <= SMALL.buckets
    assert row.any() == bool(graphemes(nickname))


def test_arrays_of_numpy_are_as_good_as_lists() -> None:
    expected = FastText(SMALL).fit(NAMES, FEMALE).predict(NAMES)
    model = FastText(SMALL).fit(np.array(NAMES), FEMALE.astype(np.bool_), np.ones(len(NAMES), np.float32))
    assert np.array_equal(model.predict(np.array(NAMES)), expected)
    assert np.array_equal(model.predict([np.str_(name) for name in NAMES]), expected)
    assert expected.dtype == np.float64
    assert expected.shape == (64,)


def test_one_string_is_not_many() -> None:
    with pytest.raises(ValueError, match="nicknames are many strings, got the one '小宝'"):
        FastText(SMALL).predict("小宝")


def test_nobody_to_predict() -> None:
    assert FastText(SMALL).predict([]).shape == (0,)


@pytest.mark.parametrize(
    ("names", "female", "weights", "message"),
    [
        ([], [], None, "no users to learn from"),
        (["a"], [1], [0], "no users to learn from"),
        (["a", "b"], [1], None, r"2 nicknames need as many labels and weights, got \(1,\) and \(2,\)"),
        (["a"], [[1]], None, r"1 nicknames need as many labels and weights, got \(1, 1\)"),
    ],
)
def test_what_cannot_be_learned(names: list[str], female: list[int], weights: list[float] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FastText(SMALL).fit(names, np.array(female), None if weights is None else np.array(weights))


def test_only_one_gender_to_learn_from() -> None:
    assert FastText(SMALL).fit(["婷婷"], np.array([1])).predict(["", "婷婷"]) == pytest.approx([1, 1], abs=1e-5)


def test_settings_are_positive() -> None:
    with pytest.raises(ValueError, match="buckets must be positive, got 0"):
        FastTextConfig(buckets=0)


def test_mean_embedding() -> None:
    embeddings = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 6.0]])
    features = np.array([[1, 2, 2, 0], [1, 0, 0, 0], [0, 0, 0, 0]], np.int32)
    assert mean_embedding(embeddings, features) == pytest.approx(np.array([[7 / 3, 14 / 3], [1, 2], [0, 0]]))


def test_gradient_equals_finite_differences() -> None:
    dice = np.random.default_rng(0)
    embeddings, output, bias = dice.normal(size=(7, 3)), dice.normal(size=3), 0.3
    users = [([1, 2, 2], 1, 1.0), ([2], 0, 0.5), ([], 1, 1.0), ([6, 1], 0, 2.0)]
    features = np.array([[*row, *[0] * (5 - len(row))] for row, _, _ in users], np.int32)
    labels, weights = (np.array([user[i] for user in users], float) for i in (1, 2))
    embeddings[0] = 0
    touched, rows, of_output = gradients(embeddings, output, bias, features, labels, weights)
    dense = np.zeros_like(embeddings)
    dense[touched] = rows

    def slope(where: Floats, index: tuple[int, ...]) -> float:
        losses = []
        for step in (1e-6, -2e-6, 1e-6):
            where[index] += step
            losses.append(slow_loss(embeddings, output, bias, users))
        return (losses[0] - losses[1]) / 2e-6

    assert dense[1:].ravel() == pytest.approx(
        [slope(embeddings, (i, j)) for i in range(1, 7) for j in range(3)], abs=1e-6
    )
    assert of_output == pytest.approx([slope(output, (j,)) for j in range(3)], abs=1e-6)
    assert not dense[0].any()


def test_every_epoch_sees_everybody_in_an_order_of_its_own() -> None:
    batches = batches_of(10, replace(SMALL, epochs=2))
    assert [len(rows) for rows in batches] == [4, 4, 2] * 2
    first, second = np.concatenate(batches[:3]), np.concatenate(batches[3:])
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()


def test_embeddings_start_small_and_the_output_at_zero() -> None:
    model = FastText(replace(SMALL, dim=5))
    assert -0.2 <= model.embeddings.min() < -0.19
    assert 0.19 < model.embeddings.max() <= 0.2
    assert not model.embeddings[0].any()
    assert not model.output.any()


def test_steps_follow_the_gradient_at_a_falling_rate() -> None:
    config = FastTextConfig(buckets=16, dim=2, epochs=4, batch=2, learning_rate=0.8)
    model, features = FastText(config), encode(["a", "哈哈"], config)
    embeddings, output = model.embeddings.astype(float), model.output.astype(float)
    for rate in (0.8, 0.6, 0.4, 0.2):
        touched, rows, of_output = gradients(embeddings, output, 0.0, features, np.array([1.0, 0.0]), np.ones(2))
        embeddings[touched] -= rate * rows
        output -= rate * of_output
    model.fit(["a", "哈哈"], np.array([1, 0]))
    assert model.embeddings == pytest.approx(embeddings, abs=1e-6)
    assert model.output == pytest.approx(output, abs=1e-6)


def test_same_seed_same_model() -> None:
    first, second = (FastText(SMALL).fit(NAMES, FEMALE) for _ in range(2))
    other = FastText(replace(SMALL, seed=2)).fit(NAMES, FEMALE)
    assert first.embeddings.tobytes() == second.embeddings.tobytes()
    assert first.output.tobytes() == second.output.tobytes()
    assert first.output.tobytes() != other.output.tobytes()


@pytest.mark.parametrize("config", [SMALL, RAW])
def test_a_saved_model_predicts_the_same(config: FastTextConfig, tmp_path: Path) -> None:
    model = FastText(config).fit(NAMES, FEMALE)
    model.save(tmp_path / "model.npz")
    loaded = FastText.load(tmp_path / "model.npz")
    assert loaded.config == config
    assert loaded.predict([*NAMES, "", "新人"]).tolist() == model.predict([*NAMES, "", "新人"]).tolist()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nickname,avatar,gender\n"])
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"model\.npz: not a model of training\.fasttext"):
        FastText.load(tmp_path / "model.npz")


def test_an_npz_of_something_else_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", weights=np.zeros(3))
    with pytest.raises(ConfigError, match=r"model\.npz: not a model of training\.fasttext"):
        FastText.load(tmp_path / "model.npz")


def test_grams_of_new_nicknames_beat_whole_nicknames(tmp_path: Path) -> None:
    table = read_manifest(write_nicknames(4000, builtin_names(), tmp_path, seed=1))
    train, held_out = table[table["split"] == "train"], table[table["split"] != "train"]
    by_grams, by_whole = (
        FastText(replace(config, learning_rate=0.25)).fit(train["nickname"], (train["gender"] == "female").to_numpy())
        for config in (SMALL, RAW)
    )
    assert accuracy(by_whole, train) > 0.7
    assert accuracy(by_grams, held_out) >= accuracy(by_whole, held_out) + 0.10


def test_command_chooses_a_learning_rate_and_reports(
    nicknames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few_buckets(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["fasttext", "--data", str(nicknames), "--out", str(tmp_path), "--seed", "3"])
    command.main()
    report = json.loads((tmp_path / "report.json").read_text())
    tried = report["validation_accuracy_by_learning_rate"]
    assert list(tried) == [str(rate) for rate in LEARNING_RATES]
    assert tried[str(report["config"]["learning_rate"])] == max(tried.values()) == report["validation"]["accuracy"]
    assert (report["config"]["seed"], report["config"]["raw"]) == (3, False)
    assert (report["manifest"], report["prep_digest"]) == ("nicknames.csv", prep_digest())
    table = read_manifest(nicknames)
    test = table[table["split"] == "test"]
    assert accuracy(FastText.load(tmp_path / "model.npz"), test) == pytest.approx(report["test"]["accuracy"], abs=1e-4)
    assert report["test"]["users"] == len(test)
    assert str(report["test"]["accuracy"]) in capsys.readouterr().out


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_manifest_without_a_split_is_refused(split: str, nicknames: Path, tmp_path: Path) -> None:
    table = read_manifest(nicknames)
    rows = table[table["split"] != split].to_dict("records")
    manifest = write_manifest([{str(key): value for key, value in row.items()} for row in rows], tmp_path / "some.csv")
    with pytest.raises(ManifestError, match=f"no rows with a weight in the split '{split}'"):
        run(manifest, tmp_path / "run", SMALL)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [("nothing.csv", "fasttext: .*nothing.csv"), ("notes.txt", "fasttext: .*notes.txt: a manifest is .csv")],
)
def test_command_ends_with_one_line(data: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fasttext", "--data", str(tmp_path / data), "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit, match=message):
        command.main()
