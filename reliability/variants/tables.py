"""One table of users in every format, delimiter, encoding and spelling of its header."""

import base64
import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from genderclient import User
from reliability.malformed.cases.encode import pillow
from training.synthetic.drawing import draw_portrait

NICKNAMES: Final = ("小美", "X国强", "🌸小美", "Anna", 'a "quoted", name', "12345", None, "two\nlines", "小;美")
_ENCODINGS: Final = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030")
# These are found without `--encoding`.
_DETECTED: Final = ("utf-8", "utf-8-sig", "utf-16")
_HEADERS: Final = (("avatar", "nickname"), (" Avatar", "NICKNAME "), ("AVATAR", "Nickname"))


class TableFile(NamedTuple):
    """A file of users, and the encoding to name if it is not found."""

    kind: str
    suffix: str
    content: bytes
    encoding: str | None = None


def users(seed: int) -> list[User]:
    """The users of every table. The last has only an avatar."""
    pictures = [pillow(draw_portrait("male", seed + n).convert("RGB").resize((96, 96)), "JPEG") for n in range(3)]
    avatars = [None, pictures[0], None, pictures[1], None, None, pictures[2], None, None]
    return [User(avatar=avatar, nickname=name) for avatar, name in zip(avatars, NICKNAMES, strict=True)]


def table_files(seed: int) -> Iterator[TableFile]:
    """Write the users in every way. Text formats hold avatars as base64."""
    rows = users(seed)
    for encoding, (delimiter, suffix), ends in product(
        _ENCODINGS, ((",", ".csv"), (";", ".csv"), ("\t", ".csv"), ("\t", ".tsv")), ("\n", "\r\n")
    ):
        # GB18030 holds every character of Unicode, so no row is lost.
        content = _delimited(rows, _HEADERS[0], delimiter, ends).encode(encoding)
        yield TableFile("encodings and delimiters", suffix, content, None if encoding in _DETECTED else encoding)
    for header, suffix in product(_HEADERS, (".csv", ".csv.gz", ".jsonl", ".json", ".jsonl.gz", ".parquet")):
        content = _written(rows, header, suffix)
        yield TableFile("formats and headers", suffix, gzip.compress(content) if suffix.endswith(".gz") else content)
    for avatar in (pa.binary(), pa.large_binary()):
        content = _parquet([{"avatar": row.avatar, "nickname": row.nickname} for row in rows], avatar)
        yield TableFile("images in Parquet", ".parquet", content)
    images = [{"avatar": {"bytes": row.avatar, "path": None}, "nickname": row.nickname} for row in rows]
    struct = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    yield TableFile("images in Parquet", ".parquet", _parquet(images, struct))


def _written(rows: Sequence[User], header: tuple[str, str], suffix: str) -> bytes:
    avatar, nickname = header
    texts = [{avatar: _base64(row.avatar), nickname: row.nickname, "note": 1} for row in rows]
    if suffix.startswith(".csv"):
        return _delimited(rows, header, ",", "\n").encode()
    if suffix.startswith(".jsonl"):
        return "\n".join(json.dumps(each, ensure_ascii=False) for each in texts).encode()
    if suffix == ".json":
        return json.dumps(texts, indent=1).encode()
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(texts), file)
    return file.getvalue()


def _delimited(rows: Sequence[User], header: tuple[str, str], delimiter: str, ends: str) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, delimiter=delimiter, lineterminator=ends)
    writer.writerow([*header, "note"])
    writer.writerows([_base64(row.avatar), row.nickname, 1] for row in rows)
    return lines.getvalue()


def _parquet(rows: list[dict[str, Any]], avatar: pa.DataType) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, pa.schema({"avatar": avatar, "nickname": pa.string()})), file)
    return file.getvalue()


def _base64(avatar: Any) -> str | None:
    return base64.b64encode(avatar).decode() if avatar else None
