"""Composed users: their labels, posteriors and patterns are those of the stated model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.data.manifest import Manifest
from training.synthetic.open_users import OWN_PICTURE, PATTERNS, compose, write_open_users

SOURCES = {"photo": ("female", "male"), "emoji": ("female", "male", ""), "neutral": ("",)}


def picture_table(split: str) -> pd.DataFrame:
    rows = [(kind, gender, split, n) for kind, genders in SOURCES.items() for gender in genders for n in range(5)]
    table = pd.DataFrame(rows, columns=["kind", "gender", "split", "identity"])
    table["identity"] = [f"{split}/{kind}/{gender}/{n}" for kind, gender, _, n in rows]
    return table.assign(avatar=table["identity"].map(str.encode), source=table["kind"], origin="", age="")


def nickname_table(split: str) -> pd.DataFrame:
    p_female = np.linspace(0.02, 0.9, 40)
    return pd.DataFrame({"nickname": [f"{split} {n}" for n in range(40)], "p_female": p_female, "split": split})


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    return compose(picture_table("train"), nickname_table("train"), 20_000, np.random.default_rng(1))


def test_posterior_is_calibrated(users: pd.DataFrame) -> None:
    female = users["gender"] == "female"
    bins = (users["p_female"] * 10).astype(int)
    means = pd.DataFrame({"p": users["p_female"], "female": female, "bin": bins}).groupby("bin").mean()
    np.testing.assert_allclose(means["female"], means["p"], atol=0.04)


def test_pictures_show_their_users(users: pd.DataFrame) -> None:
    shown = users["identity"].str.split("/").str[2].fillna("")
    gendered = users[shown != ""]
    assert (gendered["gender"] == shown[shown != ""]).mean() == pytest.approx(OWN_PICTURE, abs=0.005)
    assert (gendered["gender"] == "female").mean() == pytest.approx(0.5, abs=0.02)
    neutral = users[(users["kind"] == "neutral") & (users["nickname"] == "")]
    assert set(neutral["p_female"]) == {0.5}


def test_patterns_have_their_shares(users: pd.DataFrame) -> None:
    has = pd.MultiIndex.from_arrays([users["avatar"] != b"", users["nickname"] != ""])
    shares = has.value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx(PATTERNS, abs=0.02)
    assert set(users.loc[users["avatar"] == b"", "source"]) == {"nicknames"}


def test_splits_share_nothing(tmp_path: Path) -> None:
    splits = {"train": 60, "validation": 30, "test": 30}
    tables = (pd.concat(map(table, splits)) for table in (picture_table, nickname_table))
    pictures, nicknames = tables
    file = write_open_users(pictures, nicknames, splits, tmp_path / "runs" / "open.parquet", seed=1)
    rows = pd.concat(Manifest(file).tables())
    assert rows["split"].value_counts().to_dict() == splits
    assert ((rows["nickname"] == "") | (rows["nickname"].str.split().str[0] == rows["split"])).all()
    assert ((rows["identity"] == "") | (rows["identity"].str.split("/").str[0] == rows["split"])).all()
