"""Versions are measured on the same users, each with the preprocessing of its own repository."""

import json
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from conversion import versions
from conversion.foreign_preprocessing import prepare, preprocessing_of
from genderprep.tensors import IMAGE, PRESENT, TOKENS
from server.catalog import Catalog
from tests.support.server.gender_models import NEW_SENTINEL, edit, write_repository
from training.data.batches import prepare_users


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two that serve versions 2 and 4 of mobilenet; the second one's preprocessing knows one more sentinel."""
    old, new = (write_repository(tmp_path_factory.mktemp("repository")) for _ in range(2))
    edit(new / "preprocess" / "1" / "genderprep" / "text.py", "NAMES: Final = (", f'NAMES: Final = ("{NEW_SENTINEL}", ')
    config = new / "gender_mobilenet" / "config.pbtxt"
    edit(config, 'model_name: "mobilenet"\n      model_version: 2', 'model_name: "mobilenet"\n      model_version: 4')
    return [old, new]


def avatar(level: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 40), (level, 60, 200)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def users() -> pd.DataFrame:
    rows = [
        ("小宝", avatar(1), "female"),
        (NEW_SENTINEL, avatar(9), "male"),
        ("", avatar(90), ""),
        ("Tom", b"", "male"),
    ]
    table = pd.DataFrame(rows * 60, columns=["nickname", "avatar", "gender"])
    # Null is empty.
    table.loc[6, ["nickname", "gender"]] = None
    table.loc[7, "avatar"] = None
    return table.assign(split=["test"] * 200 + ["train"] * 40, origin="here", identity="")


def test_each_repository_prepares_as_it_serves(repositories: list[Path], users: pd.DataFrame) -> None:
    old, new = (prepare(users[:4], preprocessing_of(Catalog(each), "mobilenet")) for each in repositories)
    assert old[PRESENT].tolist() == [[True, True], [True, True], [True, False], [False, True]]
    assert new[PRESENT].tolist() == [[True, True], [True, False], [True, False], [False, True]]
    expected = prepare_users(users[:4].assign(weight=1.0, p_female=0.5))
    np.testing.assert_array_equal(old[IMAGE], expected.images)
    np.testing.assert_array_equal(old[TOKENS], expected.tokens)


def test_few_identities_of_a_gender_have_no_figures_beside_many_drawings_of_none(users: pd.DataFrame) -> None:
    known = users["gender"].fillna("") != ""
    identity = np.where(known, np.arange(len(users)) % 8, np.arange(len(users))).astype(str)
    table = users.fillna({"gender": ""}).assign(identity=identity)
    assert versions.measures(table, np.full(len(table), 0.4)).keys() == {"neutral"}
    assert "auc" in versions.measures(table.assign(identity=""), np.full(len(table), 0.4))


def test_command_measures_all_versions(
    repositories: list[Path], users: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.to_parquet(tmp_path / "users.parquet")
    users[["nickname", "gender", "split"]].to_parquet(tmp_path / "names.parquet")
    arguments = [f"--repository={each}" for each in repositories]
    sets = [f"--set={name}={tmp_path / name}.parquet" for name in ("users", "names")]
    monkeypatch.setattr(sys, "argv", ["versions", *arguments, *sets, f"--results={tmp_path}"])
    versions.main()
    sets_measured = json.loads((tmp_path / "versions.json").read_text())["sets"]
    # Users with a nickname only are all male here, which measures nothing.
    assert sets_measured["users"].keys() == {"all", "origin here", "pattern avatar only", "pattern both"}
    measured = sets_measured["users"]["all"]
    # The models answer 0.2 and 0.4 to everyone: male.
    assert measured.keys() == {"mobilenet 2", "mobilenet 4"}
    for label, mean in (("mobilenet 2", 0.2), ("mobilenet 4", 0.4)):
        assert measured[label]["neutral"] == {
            "users": 50, "mean": mean, "spread": 0, "confidence": 1 - mean
        }  # fmt: skip
        assert measured[label]["users"] == 150
        assert (measured[label]["accuracy"], measured[label]["auc"]) == (0.6667, 0.5)
        assert (measured[label]["recall_gap"], measured[label]["surely_wrong"]) == (-1, 0)
        assert measured[label]["balanced_ece"] == pytest.approx(0.5 - mean)
    assert sets_measured["names"].keys() == {"all", "pattern nickname only", "pattern nothing"}


def test_missing_set_fails_with_one_line(repositories: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["versions", f"--repository={repositories[0]}", "--set", "users=none.parquet"])
    with pytest.raises(SystemExit, match=r"versions: .*none\.parquet"):
        versions.main()


def test_wrong_repository_and_set_without_test_rows_fail_with_one_line(
    repositories: list[Path], users: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.assign(split="train").to_parquet(tmp_path / "users.parquet")
    given = f"users={tmp_path / 'users.parquet'}"
    for repository, message in (
        (tmp_path, "expected a model repository that serves a gender model"),
        (repositories[0], "expected rows of the split test, got none"),
    ):
        monkeypatch.setattr(sys, "argv", ["versions", f"--repository={repository}", "--set", given])
        with pytest.raises(SystemExit, match=f"versions: .*{message}"):
            versions.main()
