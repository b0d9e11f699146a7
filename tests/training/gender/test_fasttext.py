import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genderprep import prep_digest
from genderprep.text import SENTINEL_NICKNAMES
from training.data.manifest import ManifestError, read_manifest, write_manifest
from training.gender import fasttext as command
from training.gender.fasttext import (
    END,
    LEARNING_RATES,
    START,
    FastText,
    FastTextConfig,
    build_network,
    encode,
    graphemes,
    ngrams,
    run,
)
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_nicknames

SMALL = FastTextConfig(buckets=2**12, batch=4, learning_rate=0.5)
RAW = replace(SMALL, raw=True)
ASTRONAUT = "👩🏽‍🚀"
NAMES = ["国强", "婷婷", "大勇", "美玲", "Jack", "Lucy", "海涛🏀", "丽娜🌹"] * 8


@pytest.fixture(scope="module")
def nicknames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nicknames(400, builtin_names(), tmp_path_factory.mktemp("nicknames"), seed=1)


def users(names: list[str], female: list[int], weights: list[float] | None = None) -> pd.DataFrame:
    genders = ["female" if label else "male" for label in female]
    return pd.DataFrame({"nickname": names, "gender": genders, "weight": weights or 1.0})


def alternating(names: list[str]) -> pd.DataFrame:
    """Users of whom every second one is female."""
    return users(names, [index % 2 for index in range(len(names))])


def accuracy(model: FastText, table: pd.DataFrame) -> float:
    return float(((model.predict(table["nickname"]) >= 0.5) == (table["gender"] == "female")).mean())


def slow_ngrams(clusters: list[str], max_n: int) -> list[str]:
    marked = [START, *clusters, END]
    ends = ((start, end) for start in range(len(marked)) for end in range(start + 1, len(marked) + 1))
    grams = (marked[start:end] for start, end in ends if end - start <= max_n)
    return sorted("".join(gram) for gram in grams if gram not in ([START], [END]))


def test_ngrams_mark_ends_of_nickname() -> None:
    marked = [gram.replace(START, "^").replace(END, "$") for gram in ngrams("小宝", SMALL)]
    assert marked == ["小", "宝", "^小", "小宝", "宝$", "^小宝", "小宝$"]
    assert ngrams(f"{START}小{END}宝", SMALL) == ngrams("小宝", SMALL)


def test_raw_mode_has_one_feature() -> None:
    assert ngrams("小宝🌹", RAW) == [START + "小宝🌹" + END]
    assert np.count_nonzero(encode(["小宝🌹", ""], RAW), axis=1).tolist() == [1, 0]


@pytest.mark.parametrize("max_n", [1, 2, 3, 50])
@pytest.mark.parametrize("nickname", ["小", "小宝", "哈哈哈哈", "Mr. Right ♂", ASTRONAUT + "小宝🌹", "x" * 50])
def test_ngrams_equal_slow_version(nickname: str, max_n: int) -> None:
    assert sorted(ngrams(nickname, replace(SMALL, max_n=max_n))) == slow_ngrams(graphemes(nickname), max_n)


@pytest.mark.parametrize(
    ("nickname", "expected"),
    [
        (f"小{ASTRONAUT}🇨🇳", ["小", "👩‍🚀", "🇨🇳"]),
        ("🏽", ["🏽"]),
        ("Zoe\u0308", ["z", "o", "e"]),
        ("a\nb", ["a", " ", "b"]),
        ("a\ud800b", ["a", "b"]),
        (ASTRONAUT * 40, ["👩‍🚀"] * 32),
    ],
)
def test_graphemes_follow_preprocessing(nickname: str, expected: list[str]) -> None:
    assert graphemes(nickname) == expected


@given(st.text(max_size=60))
def test_encode_accepts_any_text(nickname: str) -> None:
    ids = encode([nickname, "a"], SMALL)
    assert 0 <= ids.min() <= ids.max() <= SMALL.buckets
    assert ids[0].any() == bool(graphemes(nickname))


def test_network_adds_prior_to_mean_embedding() -> None:
    network = build_network(replace(SMALL, buckets=2, dim=2), prior_female=0.75)
    network.set_weights([np.array([[9.0, 9.0], [1.0, 2.0], [3.0, 6.0]]), np.array([[1.0], [0.5]])])
    ids = np.array([[1, 2, 2, 0], [1, 0, 0, 0], [0, 0, 0, 0]], np.int32)
    expected = np.array([14 / 3, 2, 0]) + np.log(3)
    np.testing.assert_allclose(network.predict(ids, verbose=0)[:, 0], expected, rtol=1e-6)


def test_first_step_sums_gradients_of_weighted_users() -> None:
    config = replace(SMALL, dim=2, epochs=1, batch=2, learning_rate=0.8)
    table = users(["a", "哈哈"], [1, 0], [1.0, 3.0])
    start = keras.ops.convert_to_numpy(build_network(config, 0.25).get_layer("embedding").embeddings)
    hidden = np.array([start[row[row > 0]].mean(axis=0) for row in encode(table["nickname"], config)])
    errors = np.array([0.25 - 1, 3 * 0.25])
    network = FastText.fit(table, config).network
    embeddings, output = network.get_weights()
    np.testing.assert_allclose(output[:, 0], -0.8 * errors @ hidden, atol=1e-6)
    np.testing.assert_allclose(embeddings, start)


@pytest.mark.parametrize("nickname", ["", " \n", "\u3164", "\u200b", *SENTINEL_NICKNAMES])
def test_missing_nickname_gets_prior(nickname: str) -> None:
    network = build_network(SMALL, prior_female=0.75)
    assert FastText(SMALL, network).predict([nickname]) == pytest.approx([0.75])


def test_single_gender_gives_extreme_prior() -> None:
    model = FastText.fit(users(["婷婷"], [1]), SMALL)
    assert model.predict(["", "婷婷"]) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize("text", ["__label__female", "a\r\nb", "a\0b"])
def test_nickname_is_plain_text(text: str) -> None:
    model = FastText.fit(alternating([text, "婷婷"] * 8), replace(SMALL, epochs=20))
    assert model.predict([text, "婷婷"]).round().tolist() == [0, 1]


@pytest.mark.parametrize("config", [SMALL, RAW])
def test_training_is_reproducible(config: FastTextConfig) -> None:
    first, again, other = (
        FastText.fit(alternating(NAMES), replace(config, seed=seed)).predict([*NAMES, "", "新人"]).tolist()
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_ngrams_generalize_better_than_whole_nicknames(tmp_path: Path) -> None:
    table = read_manifest(write_nicknames(4000, builtin_names(), tmp_path, seed=1))
    train, held_out = table[table["split"] == "train"], table[table["split"] != "train"]
    by_ngrams, by_whole = (FastText.fit(train, replace(config, learning_rate=0.25)) for config in (SMALL, RAW))
    assert accuracy(by_whole, train) > 0.7
    assert accuracy(by_ngrams, held_out) >= accuracy(by_whole, held_out) + 0.10


def test_fasttext_command_chooses_learning_rate(
    nicknames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FastTextConfig", lambda **settings: FastTextConfig(**{"buckets": 2**12, **settings}))
    monkeypatch.setattr(sys, "argv", ["fasttext", "--data", str(nicknames), "--out", str(tmp_path), "--seed", "3"])
    command.main()
    report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    accuracies = report["validation_accuracy_by_learning_rate"]
    assert list(accuracies) == [str(rate) for rate in LEARNING_RATES]
    chosen = accuracies[str(report["config"]["learning_rate"])]
    assert chosen == max(accuracies.values()) == report["validation"]["accuracy"]
    assert (report["config"]["seed"], report["config"]["raw"]) == (3, False)
    assert (report["manifest"], report["prep_digest"]) == ("nicknames.csv", prep_digest())
    table = read_manifest(nicknames)
    test = table[table["split"] == "test"]
    assert accuracy(FastText.load(tmp_path), test) == pytest.approx(report["test"]["accuracy"], abs=1e-4)
    assert report["test"]["users"] == len(test)
    assert str(report["test"]["accuracy"]) in capsys.readouterr().out


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_fasttext_needs_every_split(split: str, nicknames: Path, tmp_path: Path) -> None:
    table = read_manifest(nicknames)
    rows = table[table["split"] != split].to_dict("records")
    manifest = write_manifest([{str(key): value for key, value in row.items()} for row in rows], tmp_path / "some.csv")
    with pytest.raises(ManifestError, match=f"the split '{split}' has no rows with a positive weight"):
        run(manifest, tmp_path / "run", SMALL)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [("nothing.csv", "fasttext: .*nothing.csv"), ("notes.txt", "fasttext: .*notes.txt: expected .csv")],
)
def test_fasttext_command_fails_with_one_line(
    data: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["fasttext", "--data", str(tmp_path / data), "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit, match=message):
        command.main()
