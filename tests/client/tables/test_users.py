"""Avatars and nicknames of any type, and from the web."""

import base64
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genderclient import DeadlineExceeded, InvalidAvatar, Unavailable
from tests.client.tables.conftest import Requests, Score
from tests.support.client.tables import read_table, write_table

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
BASE64 = base64.b64encode(PICTURE).decode()


@pytest.mark.parametrize(
    "avatar",
    [
        PICTURE,
        BASE64,
        f"data:image/png;base64,{BASE64}",
        "pictures/我.png",
        {"bytes": PICTURE, "path": "elsewhere.png"},
        {"bytes": None, "path": "pictures/我.png"},
    ],
    ids=["bytes", "base64", "data: URL", "path", "struct with bytes", "struct with path"],
)
def test_avatar_of_any_type(score: Score, requests: Requests, tmp_path: Path, avatar: Any) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "我.png").write_bytes(PICTURE)
    assert score(write_table(tmp_path / "users.parquet", [{"avatar": avatar}])).succeeded == 1
    assert requests == [(PICTURE, "")]


def test_long_name_of_file_is_no_base64(score: Score, requests: Requests, tmp_path: Path) -> None:
    (tmp_path / ("a" * 100)).write_bytes(PICTURE)
    score(write_table(tmp_path / "users.csv", [{"avatar": "a" * 100}]))
    assert requests == [(PICTURE, "")]


def test_path_is_never_relative_to_working_directory(
    score: Score, requests: Requests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "table").mkdir()
    (tmp_path / ("a" * 100)).write_bytes(PICTURE)
    monkeypatch.chdir(tmp_path)
    assert score(write_table(tmp_path / "table" / "users.csv", [{"avatar": "a" * 100}])).failed == 1
    assert not requests


@pytest.mark.parametrize(
    ("column", "nicknames"),
    [
        (pa.array(["小美".encode(), b"Anna"], pa.binary()), ["小美", "Anna"]),
        (pa.array([123, None]), ["123", ""]),
        (pa.array([123.0, float("nan")]), ["123", ""]),
        (pa.array([2**63 - 1, -5]), [str(2**63 - 1), "-5"]),
        (pa.array(["小美", ""]).dictionary_encode(), ["小美", ""]),
        (pa.array(["小美", None], pa.large_string()), ["小美", ""]),
    ],
    ids=["bytes", "integers", "floats", "large", "categories", "large text"],
)
def test_nickname_of_any_type(
    score: Score, requests: Requests, tmp_path: Path, column: pa.Array, nicknames: list[str]
) -> None:
    pq.write_table(pa.table({"nickname": column, "avatar": [PICTURE] * 2}), tmp_path / "users.parquet")
    assert score(tmp_path / "users.parquet").succeeded == 2
    assert requests == [(PICTURE, nickname) for nickname in nicknames]


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        (pa.array([10042.0, None]), ["10042", None]),
        (pa.array([10042.0, float("nan")]), ["10042", None]),
        (pa.array([b"u1", None]), ["u1", None]),
        (pa.array([2**63 - 1, None]), [str(2**63 - 1), None]),
    ],
    ids=["floats", "NaN", "bytes", "large"],
)
def test_id_of_any_type(score: Score, tmp_path: Path, column: pa.Array, ids: list[str | None]) -> None:
    pq.write_table(pa.table({"nickname": ["a", "b"], "uid": column}), tmp_path / "users.parquet")
    score(tmp_path / "users.parquet", id="uid")
    assert [row["id"] for row in read_table(tmp_path / "out.jsonl")] == ids


@pytest.mark.parametrize("missing", ["NaN", "null", '""'])
def test_missing_values_of_json(score: Score, requests: Requests, tmp_path: Path, missing: str) -> None:
    (tmp_path / "users.jsonl").write_text(f'{{"nickname": {missing}, "avatar": {missing}}}\n{{"nickname": 7}}\n')
    assert score(tmp_path / "users.jsonl").succeeded == 2
    assert requests == [(b"", "7")]


@pytest.mark.parametrize(
    ("address", "fetched"),
    [
        ("https://host/me.png", "https://host/me.png"),
        (" HTTPS://host/me.png ", "HTTPS://host/me.png"),
        ("//host/me.png", "https://host/me.png"),
        ({"bytes": None, "path": "https://host/me.png"}, "https://host/me.png"),
    ],
)
def test_fetch_gets_web_addresses(score: Score, requests: Requests, tmp_path: Path, address: Any, fetched: str) -> None:
    calls: list[str] = []

    def fetch(url: str) -> bytes:
        calls.append(url)
        return PICTURE

    users = write_table(tmp_path / "users.parquet", [{"avatar": address, "nickname": "x"}])
    assert score(users, fetch=fetch).succeeded == 1
    assert (calls, requests) == ([fetched], [(PICTURE, "x")])


@pytest.mark.parametrize("error", [InvalidAvatar("gone"), Unavailable("gone"), DeadlineExceeded("gone")])
def test_failed_fetch_fails_its_row_only(score: Score, requests: Requests, tmp_path: Path, error: Exception) -> None:
    def fetch(url: str) -> bytes:
        raise error

    users = write_table(tmp_path / "users.csv", [{"avatar": "https://host/1", "nickname": "a"}, {"nickname": "b"}])
    result = score(users, fetch=fetch)
    assert (result.succeeded, result.failed, requests) == (1, 1, [(b"", "b")])
    (failure,) = read_table(tmp_path / "out.jsonl.failed.csv")
    assert failure == {"row": "0", "id": "", "error": "InvalidAvatar", "reason": "gone"}


@pytest.mark.parametrize("address", ["http://host/secret", "HTTPS://host/secret", "//host/secret"])
def test_web_address_needs_fetch(score: Score, tmp_path: Path, address: str) -> None:
    assert score(write_table(tmp_path / "users.csv", [{"avatar": address, "nickname": "x"}])).failed == 1
    (failure,) = read_table(tmp_path / "out.jsonl.failed.csv")
    assert failure["error"] == "InvalidAvatar"
    assert "--fetch" in failure["reason"]
    assert "secret" not in failure["reason"]


@pytest.mark.parametrize(
    "avatar", ["secret.png", "/secret/me.png", "data:;base64,secret?", "secret" * 100, "b'secret'"]
)
def test_failures_contain_no_input(score: Score, tmp_path: Path, avatar: str) -> None:
    users = write_table(tmp_path / "users.csv", [{"avatar": avatar, "nickname": "秘密"}])
    assert score(users).failed == 1
    written = (tmp_path / "out.jsonl.failed.csv").read_text()
    assert not [text for text in ("secret", "秘密") if text in written]
