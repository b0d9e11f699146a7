"""Encodings, delimiters, compression and JSON: the same users, however they are written."""

import codecs
import gzip
from pathlib import Path

import pytest

from genderclient.tables import ClientSettings, Columns, TableError, TableJob
from tests.client.tables.conftest import Requests, Score
from tests.support.client.tables import read_table, write_table

CSV = "nickname,city\n小美,北京\n国强,上海\n"
NAMES = [(b"", "小美"), (b"", "国强")]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (CSV.encode("utf-8"), None),
        (CSV.encode("utf-8-sig"), None),
        (CSV.encode("utf-8-sig"), "utf-8"),
        (CSV.encode("utf-16"), None),
        (codecs.BOM_UTF16_BE + CSV.encode("utf-16-be"), None),
        (CSV.encode("utf-16-le"), None),
        (CSV.encode("utf-16"), "utf-16"),
        (CSV.encode("gbk"), "gbk"),
        (CSV.encode("gb18030"), "GB18030"),
        (CSV.replace("\n", "\r\n").encode(), None),
        (CSV.replace("\n", "\r").encode(), None),
        (CSV.rstrip().encode(), None),
    ],
)
def test_csv_in_any_encoding(
    score: Score, requests: Requests, tmp_path: Path, content: bytes, encoding: str | None
) -> None:
    (tmp_path / "users.csv").write_bytes(content)
    assert score(tmp_path / "users.csv", encoding=encoding).succeeded == 2
    assert requests == NAMES
    assert [row["city"] for row in read_table(tmp_path / "out.jsonl")] == ["北京", "上海"]


@pytest.mark.parametrize(
    ("content", "encoding", "line"),
    [
        (CSV.encode("gbk"), None, 2),
        (b"nickname\n" + b"x\n" * 5000 + "小美\n".encode("gbk") + b"x\n" * 5000, None, 5002),
        (CSV.encode(), "ascii", 2),
        (CSV.encode("utf-16")[:-3], None, 3),
        (b"nickname\nx\n\xff", None, 3),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_wrong_encoding_names_file_and_line(
    score: Score, requests: Requests, tmp_path: Path, content: bytes, encoding: str | None, line: int, suffix: str
) -> None:
    users = tmp_path / f"users.{suffix}"
    users.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    with pytest.raises(TableError, match=rf"users\.{suffix}, line {line}: not .*--encoding"):
        score(users, encoding=encoding)
    assert not requests


@pytest.mark.parametrize("encoding", ["nonsense", "hex"])
def test_unknown_encoding_is_refused(score: Score, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "users.csv").write_text(CSV, encoding="utf-8")
    with pytest.raises(TableError, match=f"encoding: .*{encoding}"):
        score(tmp_path / "users.csv", encoding=encoding)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "CSV"])
def test_delimiter_is_that_of_header(
    score: Score, requests: Requests, tmp_path: Path, delimiter: str, suffix: str
) -> None:
    content = CSV.replace(",", delimiter).replace("国强", '"国,强;"').encode()
    users = tmp_path / f"users.{suffix}"
    users.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    score(users)
    assert requests == [(b"", "小美"), (b"", "国,强;")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("users.json", '[{"nickname": "小美"}, {"nickname": "国强"}]'),
        ("users.json", '\n [\n{\n"nickname": "小美"},\n{"nickname":\n"国强"}]\n'),
        ("users.json", '{"nickname": "小美"}\n{"nickname": "国强"}\n'),
        ("users.jsonl", '{"nickname": "小美"}\r\n\r\n{"nickname": "国强"}'),
        ("users.jsonl", '\ufeff{"nickname": "\\u5c0f\\u7f8e"}\n{"nickname": "国强"}'),
    ],
)
def test_json_array_and_lines(score: Score, requests: Requests, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert score(tmp_path / name).succeeded == 2
    assert requests == NAMES


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("users.json", '[{"nickname": "小美"},\n{"nickname" 1}]', r"users\.json, line 2: invalid JSON"),
        ("users.json", '[{"nickname": "x"}, ["小美"]]', r"users\.json, row 1: expected an object"),
        ("users.jsonl", '{"nickname": "x"}\n"小美"', r"users\.jsonl, line 2: expected an object"),
        ("users.jsonl", '{"nickname": "x"}\n' + '{"小美":' * 100_000, r"users\.jsonl, line 2: invalid JSON"),
        ("users.json", "[" * 100_000 + '"小美"', r"users\.json, line 1: invalid JSON"),
        ("users.csv.gz", "小美", r"users\.csv\.gz: damaged gzip file; compress it again"),
    ],
)
def test_damaged_file_names_line_but_no_content(
    score: Score, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(TableError, match=message) as caught:
        score(tmp_path / name)
    assert "小美" not in str(caught.value)


def test_truncated_gzip_is_refused(score: Score, tmp_path: Path) -> None:
    (tmp_path / "users.csv.gz").write_bytes(gzip.compress(CSV.encode())[:-12])
    with pytest.raises(TableError, match=r"users\.csv\.gz.*: damaged gzip file"):
        score(tmp_path / "users.csv.gz")


@pytest.mark.parametrize("characters", [131_073, 3_000_000])
def test_long_field_is_read(score: Score, requests: Requests, tmp_path: Path, characters: int) -> None:
    (tmp_path / "users.csv").write_text(f'nickname,avatar\nx,"data:;base64,{"A" * (characters // 4 * 4)}"\n')
    assert score(tmp_path / "users.csv").succeeded == 1
    assert requests == [(bytes(characters // 4 * 3), "x")]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet", "csv.gz", "jsonl.gz"])
def test_output_has_the_format_of_its_name(score: Score, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "users.csv").write_text(CSV, encoding="utf-8")
    score(tmp_path / "users.csv", tmp_path / f"out.{suffix}")
    rows = read_table(tmp_path / f"out.{suffix}")
    assert [(int(row["row"]), row["gender"], row["city"]) for row in rows] == [(0, "male", "北京"), (1, "male", "上海")]


def test_empty_json_output_is_an_array(score: Score, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("nickname\n")
    score(tmp_path / "users.csv", tmp_path / "out.json")
    assert read_table(tmp_path / "out.json") == []


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_progress_knows_the_number_of_rows(
    requests: Requests, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    users = write_table(tmp_path / f"users.{suffix}", [{"nickname": "x"}] * 7)
    TableJob(users, tmp_path / "out.csv", Columns(), ClientSettings()).run(concurrency=1, progress=True)
    assert "0/7 [" in capsys.readouterr().err


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_row_with_surplus_fields_fails_by_itself(
    score: Score, requests: Requests, tmp_path: Path, delimiter: str
) -> None:
    """Its values may belong to other columns."""
    lines = ["uid,nickname,avatar", "1,小美,", "2,国,强,", "3,小美,", "4"]
    (tmp_path / "users.csv").write_text("\n".join(lines).replace(",", delimiter), encoding="utf-8")
    result = score(tmp_path / "users.csv", id="uid")
    assert (result.succeeded, result.failed, requests) == (3, 1, [(b"", "小美")] * 2)
    (failure,) = read_table(tmp_path / "out.jsonl.failed.csv")
    reason = f"row: expected 3 fields, as in the header, got 4; quote the field that contains {delimiter!r}"
    assert failure == {"row": "1", "id": "2", "error": "InvalidInput", "reason": reason}
