"""No error, log line or file contains an avatar or a nickname: every entry point gets markers that it must refuse.

`test_privacy.py` sends markers through real servers. Here each row of a table is one way to fail before or without one.
"""

import asyncio
import base64
import gzip
import io
import json
import logging
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    AvatarFetcher,
    Client,
    FakeTransport,
    InvalidAvatar,
    Probabilities,
    RedisHistory,
    Retry,
    User,
    UserFeatures,
)
from genderclient._cli.app import app
from genderclient.tables import ClientSettings, Columns, TableJob
from tests.support.client.fakes import respond_list, respond_male, respond_male_async
from tests.support.client.socket_server import socket_server
from tests.support.markers import NAME, PICTURE, found, planted_png
from training.data.labels import check_label_map
from training.data.manifest import Manifest

# Runs an entry point in a folder of its own, which it fills. It raises, or returns what its caller would see.
Case = Callable[[Path], object]


class Revealing:
    """An object of a wrong type that shows the marker wherever it is printed."""

    def __repr__(self) -> str:
        return PICTURE

    def read(self, size: int) -> bytes:
        raise ValueError(PICTURE)


def predict(**inputs: Any) -> object:
    with Client(transport=FakeTransport(respond_male)) as client:
        return client.predict(**inputs)


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def make_folder(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def truncated_image() -> Image.Image:
    """A truncated file."""
    image = Image.open(io.BytesIO(planted_png()[:-30]))
    image.filename = PICTURE
    return image


AVATARS: dict[str, Callable[[Path], Any]] = {
    "path as text": lambda folder: f"/home/{PICTURE}/me.png",
    "path": lambda folder: folder / PICTURE,
    "path with NUL": lambda folder: Path(f"{PICTURE}\0"),
    "path with a surrogate": lambda folder: f"{PICTURE}\udc80",
    "folder": lambda folder: make_folder(folder / PICTURE),
    "long text": lambda folder: PICTURE * 400,
    "base64 of a damaged image": lambda folder: base64_of(planted_png()) + "=" + PICTURE,
    "data: URL": lambda folder: f"data:image/png;base64,{PICTURE}!",
    "data: URL with a surrogate": lambda folder: f"data:,{PICTURE}\udc80",
    "web address": lambda folder: f"https://{PICTURE}.example/me.png",
    "web address in capitals": lambda folder: f" HTTP://example.com/{PICTURE}.png",
    "web address without a scheme": lambda folder: f"//example.com/{PICTURE}.png",
    "printed bytes": lambda folder: str(planted_png()),
    "stream that fails": lambda folder: Revealing(),
    "stream of text": lambda folder: io.StringIO(PICTURE),
    "truncated image": lambda folder: truncated_image(),
    "array of text": lambda folder: np.array([PICTURE]),
    "array of objects": lambda folder: np.array([Revealing()]),
    "mapping": lambda folder: {PICTURE: Revealing()},
    "set": lambda folder: {PICTURE},
}
NICKNAMES: dict[str, Any] = {
    "lone surrogate": f"{NAME}\udc80",
    "bytes": NAME.encode(),
    "list": [NAME],
    "object": Revealing(),
}


def by_predict(inputs: dict[str, Any]) -> object:
    return predict(**inputs)


def by_predict_many_of(users: list[Any]) -> object:
    with Client(transport=FakeTransport(respond_male)) as client:
        (scored,) = client.predict_many(users)
        assert scored.error
        raise scored.error


def by_predict_many(inputs: dict[str, Any]) -> object:
    return by_predict_many_of([User(**inputs)])


def by_async_client(inputs: dict[str, Any]) -> object:
    async def run() -> object:
        async with AsyncClient(transport=AsyncFakeTransport(respond_male_async)) as client:
            return await client.predict(**inputs)

    return asyncio.run(run())


def by_fallback(inputs: dict[str, Any]) -> object:
    """The prediction's reason is an error, too."""
    with Client(transport=FakeTransport(respond_male), ignore_invalid_avatar=True) as client:
        prediction = client.predict(**{"nickname": "小美", **inputs})
        raise InvalidAvatar(prediction.avatar_error or "", model=repr(prediction) + repr(prediction.to_dict()))


def rank(**inputs: Any) -> object:
    with Client(transport=FakeTransport(respond_list)) as client:
        return client.rank(**inputs)


def by_rank(inputs: dict[str, Any]) -> object:
    return rank(**inputs)


def as_picture(inputs: dict[str, Any]) -> object:
    """The avatar as the picture of `embed`, or the nickname as its title."""
    with Client(transport=FakeTransport(respond_male)) as client:
        return client.embed(inputs.get("avatar"), inputs.get("nickname"))


SENDERS = (by_predict, by_predict_many, by_async_client, by_fallback, by_rank, as_picture)


def echoed_by_server(folder: Path) -> object:
    """A server that is not Triton may send the request back."""
    with (
        socket_server(lambda connection: connection.sendall(PICTURE.encode() + connection.recv(2**16))) as port,
        Client(f"http://127.0.0.1:{port}", retry=Retry(attempts=1)) as client,
    ):
        return client.predict(nickname=NAME, avatar=PICTURE.encode())


def echoed_to_async_client(folder: Path) -> object:
    async def run(port: int) -> object:
        async with AsyncClient(f"http://127.0.0.1:{port}", retry=Retry(attempts=1)) as client:
            return await client.predict(nickname=NAME, avatar=PICTURE.encode())

    with socket_server(lambda connection: connection.sendall(PICTURE.encode() + connection.recv(2**16))) as port:
        return asyncio.run(run(port))


def as_command(*arguments: str) -> object:
    result = CliRunner().invoke(app, arguments, env={"GENDERCLIENT_URL": "http://127.0.0.1:9"})
    assert result.exit_code
    raise InvalidAvatar(result.output)


OTHERS: dict[str, Case] = {
    "token": lambda folder: Client(token=f"{NAME}\n"),
    "header": lambda folder: Client(headers={"x-name": f"{NAME}\n"}),
    "user and password in the URL": lambda folder: Client(f"grpc://{NAME}:{PICTURE}@127.0.0.1"),
    "users that are no users": lambda folder: by_predict_many_of([NAME]),
    "liked pictures that are no ids": lambda folder: rank(liked=[NAME]),
    "liked pictures that are text": lambda folder: rank(liked=NAME),
    "candidates that are no ids": lambda folder: rank(among=[1, Revealing()]),
    "features of another type": lambda folder: rank(features=Revealing()),
    "embedding": lambda folder: UserFeatures(embedding=[NAME] * 256, probabilities=Probabilities(0.5, 0.5)),  # type: ignore[list-item]
    "probabilities": lambda folder: UserFeatures(embedding=[0.5] * 256, probabilities=NAME),  # type: ignore[arg-type]
    "URL of histories": lambda folder: RedisHistory(f"http://{NAME}"),
    "password and user of histories": lambda folder: RedisHistory(f"redis://u:{NAME}@127.0.0.1:9/0").liked(PICTURE),
    "fetched path": lambda folder: AvatarFetcher()(f"https://127.0.0.1:9/{PICTURE}.png?{NAME}#{NAME}"),
    "fetched scheme": lambda folder: AvatarFetcher()(f"http://127.0.0.1:9/{PICTURE}.png"),
    "fetched user": lambda folder: AvatarFetcher()(f"https://{NAME}@127.0.0.1:9/{PICTURE}.png"),
    "fetched brackets": lambda folder: AvatarFetcher()(f"https://[{PICTURE}/"),
    "fetched port": lambda folder: AvatarFetcher()(f"https://127.0.0.1:{PICTURE}/"),
    "echo": echoed_by_server,
    "echo to a task": echoed_to_async_client,
    "command, path": lambda folder: as_command("predict", "--avatar", f"/home/{PICTURE}.png", "--nickname", NAME),
    "command, base64": lambda folder: as_command("predict", "--avatar", base64_of(planted_png()) + "="),
    "command, web address": lambda folder: as_command("predict", "--avatar", f"https://example.com/{PICTURE}.png"),
    "command, no server": lambda folder: as_command("predict", "--nickname", NAME),
    "command, argument": lambda folder: as_command("predict", NAME),
    "shards": lambda folder: shards_of_different_types(folder),
    "label map": lambda folder: check_label_map({NAME: "?"}),
}


def csv_of(*rows: Iterable[str]) -> bytes:
    return "\n".join(",".join(row) for row in rows).encode()


def parquet_of(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


# By the file's name. Every file is refused as a whole.
TABLES: dict[str, bytes] = {
    "no-header.csv": csv_of([NAME, f"{PICTURE}.png"], [NAME, ""]),
    "no-header.tsv": f"{NAME}\t{PICTURE}\n{NAME}\t".encode(),
    "two-columns.csv": csv_of(["Nickname", " NICKNAME ", NAME], [NAME, NAME, NAME]),
    "kept-twice.csv": csv_of(["nickname", "gender", "input_gender", NAME], [NAME, NAME, NAME, NAME]),
    "stray-quote.csv": csv_of(["nickname", "avatar"], [f'"{NAME}', PICTURE], *[[NAME, PICTURE]] * 200),
    "encoding.csv": b"nickname\n" + f"美{NAME}".encode("gb18030"),
    "cut.csv.gz": gzip.compress(csv_of(["nickname"], *[[NAME]] * 9), 0)[:-12],
    "no-gzip.csv.gz": NAME.encode(),
    "line.jsonl": f'{{"nickname": "{NAME}"}}\n{{"nickname": "{NAME}'.encode(),
    "list.jsonl": json.dumps([NAME, PICTURE]).encode(),
    "text.json": json.dumps([NAME]).encode(),
    "nested.json": b"[" * 10**5 + NAME.encode(),
    "columns.json": json.dumps([{NAME: PICTURE}]).encode(),
    "no.parquet": NAME.encode() * 20,
    "cut.parquet": parquet_of(nickname=[NAME])[:-30] + b"PAR1",
    "columns.parquet": parquet_of(**{NAME: [PICTURE]}),
    "unknown.xlsx": NAME.encode(),
}
# Manifests of training: refused, or as bad rows of which there are too many.
MANIFESTS: dict[str, bytes] = {
    "no-header.csv": csv_of([NAME, PICTURE, "male"]),
    "labels.csv": csv_of(["nickname", "avatar", "gender"], [NAME, PICTURE, NAME]),
    "weights.csv": csv_of(["nickname", "avatar", "gender", "weight"], [NAME, PICTURE, "male", NAME]),
    "splits.csv": csv_of(["nickname", "avatar", "gender", "split"], [NAME, PICTURE, "male", NAME]),
    "fields.csv": csv_of(["nickname", "avatar", "gender"], [NAME, PICTURE, "male", NAME]),
    "encoding.csv": b"nickname,avatar,gender\n" + f"美{NAME},{PICTURE},male".encode("gb18030"),
    "line.jsonl": f'{{"nickname": "{NAME}", "avatar": "{PICTURE}", "gender": "male'.encode(),
    "types.jsonl": json.dumps({"nickname": {NAME: 1}, "avatar": [PICTURE], "gender": NAME}).encode(),
    "labels.parquet": parquet_of(nickname=[NAME], avatar=[PICTURE], gender=[NAME]),
    "types.parquet": parquet_of(nickname=[[NAME]], avatar=[PICTURE], gender=["male"]),
    "cut.parquet": parquet_of(nickname=[NAME], avatar=[PICTURE], gender=["male"])[:-30] + b"PAR1",
}


def shards_of_different_types(folder: Path) -> object:
    shards = folder / "shards"
    shards.mkdir()
    for number, values in enumerate(([PICTURE], [1.5])):
        (shards / f"{number}.parquet").write_bytes(parquet_of(nickname=[NAME], **{NAME: values}))
    return by_job(shards)


def by_job(file: Path) -> object:
    settings = ClientSettings(url="http://127.0.0.1:9")
    return TableJob(file, file.with_name("out.csv"), Columns(), settings)


def by_score_command(file: Path) -> object:
    return as_command("score", str(file), "-o", str(file.with_name("out.csv")))


def by_rank_command(file: Path) -> object:
    return as_command("rank", str(file), "-o", str(file.with_name("out.csv")))


def by_manifest(file: Path) -> object:
    return list(Manifest(file, max_bad_rows=0).tables())


def written(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def seen(run: Callable[[], object], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> bytes:
    """Everything that the caller of a failing `run` sees: the error with its traceback, logs and the terminal."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Exception) as caught:
        run()
    texts = [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    assert str(caught.value), "expected a sentence"
    return "\n".join([*texts, caplog.text, *capfd.readouterr()]).encode(errors="backslashreplace")


@pytest.mark.parametrize("send", SENDERS)
@pytest.mark.parametrize("avatar", AVATARS)
def test_avatar_is_in_no_error(
    avatar: str,
    send: Callable[[dict[str, Any]], object],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    made = AVATARS[avatar](tmp_path)
    assert found(seen(lambda: send({"avatar": made}), caplog, capfd)) == set()


@pytest.mark.parametrize("send", SENDERS)
@pytest.mark.parametrize("nickname", NICKNAMES)
def test_nickname_is_in_no_error(
    nickname: str,
    send: Callable[[dict[str, Any]], object],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert found(seen(lambda: send({"nickname": NICKNAMES[nickname]}), caplog, capfd)) == set()


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_entry_point_repeats_its_input(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert found(seen(lambda: OTHERS[name](tmp_path), caplog, capfd)) == set()


@pytest.mark.parametrize(
    ("read", "name", "content"),
    [
        *((by_job, name, content) for name, content in TABLES.items()),
        *((by_score_command, name, content) for name, content in TABLES.items()),
        *((by_rank_command, name, content) for name, content in TABLES.items() if name != "kept-twice.csv"),
        *((by_manifest, name, content) for name, content in MANIFESTS.items()),
    ],
)
def test_table_is_in_no_error(
    read: Callable[[Path], object],
    name: str,
    content: bytes,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert found(seen(lambda: read(file), caplog, capfd)) == set()
    file.unlink()
    assert found(written(tmp_path)) == set()
