"""A quote that swallows rows is refused; a field with line breaks is not."""

from pathlib import Path

import pytest

from genderclient.tables import TableError
from tests.client.tables.conftest import Requests, Score


def table(rows: dict[int, str], count: int = 1000, header: str = "uid,nickname,avatar") -> str:
    """A CSV table in which some lines, counted from 1, are replaced."""
    lines = [header, *(f"{number},小美,".removesuffix("," * (2 - header.count(","))) for number in range(2, count + 2))]
    for number, line in rows.items():
        lines[number - 1] = line
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ({10: '10,"小美,'}, 10),
        ({1001: '1001,"小美,'}, 1001),
        ({10: '10,"小美,', 40: '40,"小美,'}, 10),
        ({10: '10,"小美,', 11: '11,"小美,'}, 10),
        ({10: '10,"小美,', 40: '40,小美",'}, 10),
        ({10: '10,"小美,', 900: '900,小美",'}, 10),
        ({5: '5,"two\nlines",', 10: '10,"小美,', 900: '900,小美",'}, 11),
        ({2: '"2,小美,'}, 2),
        ({1: 'uid,nickname,"avatar'}, 1),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_stray_quote_names_its_line(
    score: Score, requests: Requests, tmp_path: Path, rows: dict[int, str], line: int, end: str
) -> None:
    (tmp_path / "users.csv").write_text(table(rows), encoding="utf-8", newline=end)
    with pytest.raises(TableError, match=rf"users\.csv, line {line}: a quote opens") as caught:
        score(tmp_path / "users.csv")
    assert "小美" not in str(caught.value)
    assert not requests


@pytest.mark.parametrize(
    ("row", "nickname"),
    [
        ('10,"two\nlines",', "two\nlines"),
        ('10,"a, b\nc, d\ne, f",', "a, b\nc, d\ne, f"),
        ('10,"1\n2\n3\n4\n5\n6",', "1\n2\n3\n4\n5\n6"),
        ('10,"say ""hi""",', 'say "hi"'),
        ('10,say "hi",', 'say "hi"'),
        ('10,5" tall,', '5" tall'),
    ],
)
def test_quoted_field_is_one_nickname(
    score: Score, requests: Requests, tmp_path: Path, row: str, nickname: str
) -> None:
    (tmp_path / "users.csv").write_text(table({10: row}, count=20), encoding="utf-8")
    assert score(tmp_path / "users.csv").succeeded == 20
    assert requests[8] == (b"", nickname)
