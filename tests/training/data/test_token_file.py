import re
from pathlib import Path

import numpy as np
import pytest

from genderprep import prep_digest, prepare_text
from training.data.manifest import Manifest, ManifestError, write_manifest
from training.data.token_file import Nicknames, batches_by_length, read_token_file, write_token_file

TEXTS = {"train": ["小宝🌹", "Jack", "", "国强" * 20], "validation": ["婷婷"], "test": ["微信用户", "a"]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows: list[dict[str, object]] = [
        {"nickname": text, "avatar": "", "gender": "female", "split": split, "p_female": len(text) / 64}
        for split, texts in TEXTS.items()
        for text in texts
    ]
    return write_token_file(Manifest(write_manifest(rows, tmp_path / "a.csv")), tmp_path / "a.npz")


def test_tokens_and_labels_are_read_back(file: Path) -> None:
    for split, texts in TEXTS.items():
        shown = [text for text in texts if prepare_text(text.encode())[1]]
        nicknames = read_token_file(file, split)
        np.testing.assert_array_equal(nicknames.tokens, [prepare_text(text.encode())[0] for text in shown])
        assert nicknames.p_female[:, 0].tolist() == [len(text) / 64 for text in shown]
        assert nicknames.female.tolist() == [[1.0]] * len(shown)


def test_tokens_of_another_preprocessing_are_rejected(file: Path) -> None:
    with np.load(file) as arrays:
        np.savez(file, **{**arrays, "prep_digest": np.array("0" * 64)})
    with pytest.raises(ManifestError, match=f"{re.escape(prep_digest()[:12])}, got 000000000000; tokenize again"):
        read_token_file(file, "train")


def test_split_without_nicknames_is_named(tmp_path: Path) -> None:
    row: dict[str, object] = {"nickname": "婷婷", "avatar": "", "gender": "female", "split": "train"}
    manifest = Manifest(write_manifest([row, row | {"nickname": "", "split": "validation"}], tmp_path / "a.csv"))
    with pytest.raises(ManifestError, match="expected nicknames in the split 'validation', got none"):
        write_token_file(manifest, tmp_path / "a.npz")


def test_batches_are_of_similar_length_and_random() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 33, 1000)
    tokens = (np.arange(32) < lengths[:, None]).astype(np.int32)
    nicknames = Nicknames(tokens, np.ones((1000, 1)), np.ones((1000, 1)))
    first, second = (list(batches_by_length(nicknames, 10, rng)) for _ in range(2))
    assert sorted(np.concatenate(first).tolist()) == sorted(np.concatenate(second).tolist())
    assert len({*np.concatenate(first).tolist()}) == 1000
    assert max(np.ptp(lengths[rows]) for rows in first) <= 2
    assert [rows.tolist() for rows in first] != [rows.tolist() for rows in second]
    widths = [lengths[rows].max() for rows in first]
    assert widths != sorted(widths)
