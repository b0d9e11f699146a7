"""Which columns of a table are read, and which tables are refused."""

from pathlib import Path

import pytest

from genderclient.tables import TableError
from tests.client.tables.conftest import Requests, Score
from tests.support.client.tables import write_table

PICTURE = "data:,picture"
SUFFIXES = ("csv", "tsv", "json", "jsonl", "parquet")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("role", ["avatar", "nickname", "id"])
def test_named_column_must_exist(score: Score, requests: Requests, tmp_path: Path, suffix: str, role: str) -> None:
    users = write_table(tmp_path / f"users.{suffix}", [{"avatar": PICTURE, "nickname": "小美", "uid": "1"}])
    with pytest.raises(TableError, match="no column 'picture' among the 3 columns") as caught:
        score(users, **{role: "picture"})
    assert "小美" not in str(caught.value)
    assert (requests, list(tmp_path.iterdir())) == ([], [users])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("header", "named"),
    [
        (("Avatar", "NickName"), {}),
        ((" avatar ", "\tNICKNAME\u3000"), {}),
        (("Picture URL", "名字"), {"avatar": "picture url ", "nickname": " 名字"}),
        (("avatar", "nickname"), {"avatar": "AVATAR", "nickname": "Nickname"}),
    ],
)
def test_header_matches_without_case_and_spaces(
    score: Score, requests: Requests, tmp_path: Path, suffix: str, header: tuple[str, str], named: dict[str, str]
) -> None:
    users = write_table(tmp_path / f"users.{suffix}", [{header[0]: PICTURE, header[1]: "小美"}])
    assert score(users, **named).succeeded == 1
    assert requests == [(b"picture", "小美")]


def test_exact_name_wins_over_similar_name(score: Score, requests: Requests, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("Nickname,nickname\na,b\n")
    score(tmp_path / "users.csv")
    assert requests == [(b"", "b")]


@pytest.mark.parametrize("header", ["Nickname,NICKNAME", "nickname,nickname"])
def test_ambiguous_column_is_refused(score: Score, tmp_path: Path, header: str) -> None:
    (tmp_path / "users.csv").write_text(f"{header}\na,b\n")
    with pytest.raises(TableError, match="expected one column 'nickname', got 2"):
        score(tmp_path / "users.csv")


def test_missing_header_is_refused_without_its_content(score: Score, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("me.jpg,小美\nyou.jpg,国强\n", encoding="utf-8")
    with pytest.raises(TableError, match="no column avatar or nickname among the 2 columns") as caught:
        score(tmp_path / "users.csv")
    assert not [value for value in ("me.jpg", "小美") if value in str(caught.value)]


def test_json_columns_are_those_of_all_rows(score: Score, requests: Requests, tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text('{"nickname": "a"}\n{"avatar": "data:,picture"}\n')
    score(tmp_path / "users.jsonl", avatar="avatar")
    assert requests == [(b"", "a"), (b"picture", "")]


@pytest.mark.parametrize("named", [{}, {"avatar": "avatar"}])
def test_every_shard_needs_the_columns(score: Score, requests: Requests, tmp_path: Path, named: dict[str, str]) -> None:
    write_table(tmp_path / "0.parquet", [{"avatar": b"picture", "nickname": "小美"}])
    write_table(tmp_path / "1.parquet", [{"picture": b"picture", "nickname": "小美"}])
    with pytest.raises(TableError, match=r"1\.parquet: .*avatar"):
        score(tmp_path, tmp_path / "out.csv", **named)
    assert not requests


def test_shards_may_spell_their_header_differently(score: Score, requests: Requests, tmp_path: Path) -> None:
    write_table(tmp_path / "0.parquet", [{"nickname": "a"}])
    write_table(tmp_path / "1.parquet", [{" Nickname": "b"}])
    score(tmp_path, tmp_path / "out.csv")
    assert requests == [(b"", "a"), (b"", "b")]


@pytest.mark.parametrize("hidden", ["._0.parquet", "_temporary/0.parquet", ".ipynb_checkpoints/0.parquet"])
def test_hidden_shards_are_skipped(score: Score, requests: Requests, tmp_path: Path, hidden: str) -> None:
    write_table(tmp_path / "0.parquet", [{"nickname": "a"}])
    (tmp_path / hidden).parent.mkdir(exist_ok=True)
    (tmp_path / hidden).write_bytes(b"no Parquet")
    assert score(tmp_path, tmp_path / "out.csv").succeeded == 1
