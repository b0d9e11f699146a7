"""Pairs of users as the SDK takes them: the same avatar and nickname in other types."""

import base64
import io
import math
import os
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote_from_bytes

import numpy as np
import pandas as pd
from PIL import Image

from genderclient import User
from reliability.malformed.cases.encode import pillow
from training.synthetic.drawing import draw_portrait

NICKNAME: Final = "小美"
_MISSING: Final[tuple[Any, ...]] = (
    *(None, "", b"", bytearray(), math.nan, np.float32("nan"), np.float64("nan")),
    *(Decimal("nan"), pd.NA, pd.NaT, memoryview(b"")),
)


class ArgumentPair(NamedTuple):
    """A user as a caller may write it, and the same user in the plainest form."""

    kind: str
    variant: User
    canonical: User


def argument_pairs(seed: int, folder: Path) -> list[ArgumentPair]:
    """Write one avatar in every type that `predict` takes; `folder` is for its files."""
    picture = draw_portrait("female", seed).convert("RGB").resize((120, 120))
    png = pillow(picture, "PNG")
    missing = [
        *(
            ArgumentPair("missing avatar", User(avatar=each, nickname=NICKNAME), User(nickname=NICKNAME))
            for each in _MISSING
        ),
        *(ArgumentPair("missing nickname", User(avatar=png, nickname=each), User(avatar=png)) for each in _MISSING),
    ]
    avatars = (("text", _texts(png)), ("bytes, files and streams", _streams(png, folder)))
    encoded = [
        ArgumentPair(f"avatar as {kind}", User(avatar=each), User(avatar=png))
        for kind, all_of in avatars
        for each in all_of
    ]
    images = [
        ArgumentPair("avatar as image or array", User(avatar=each), User(avatar=pillow(same, "PNG")))
        for each, same in _images(picture)
    ]
    return [*missing, *encoded, *images]


def _texts(png: bytes) -> Iterator[str | bytes]:
    standard = base64.b64encode(png).decode()
    url_safe = base64.urlsafe_b64encode(png).decode()
    yield from (standard, url_safe, standard.rstrip("="), url_safe.rstrip("="), f" {standard}\n")
    yield base64.encodebytes(png).decode()
    yield base64.encodebytes(png).decode().replace("\n", "\r\n")
    for media_type in ("image/png", "IMAGE/PNG", "image/png;name=me.png", "", "application/octet-stream"):
        yield f"data:{media_type};base64,{standard}"
    yield f"DATA:image/png;BASE64,{standard}"
    yield f"\n data:image/png;base64, {standard} "
    yield f"data:image/png;base64,{standard.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}"
    yield f"data:image/png;base64,{url_safe}"
    yield f"data:image/png,{quote_from_bytes(png)}"
    yield from (standard.encode(), f"data:image/png;base64,{standard}".encode())


def _streams(png: bytes, folder: Path) -> Iterator[Any]:
    file = folder / "我的 头像.png"
    file.write_bytes(png)
    yield from (
        file,
        str(file),
        os.path.relpath(file),
        bytearray(png),
        memoryview(png),
        memoryview(png * 2)[: len(png)],
    )
    yield from (io.BytesIO(png), file.open("rb"), file.open("rb", buffering=0), io.BufferedReader(io.BytesIO(png)))
    late = io.BytesIO(b"head" + png)
    late.seek(4)
    yield from (late, _Dripping(png), _pipe(png))


class _Dripping:
    """A stream that returns a few bytes at a time, like a socket."""

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, 100))


def _pipe(content: bytes) -> Any:
    source, sink = os.pipe()

    def write() -> None:
        with os.fdopen(sink, "wb") as stream:
            stream.write(content)

    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(source, "rb", buffering=0)


def _images(picture: Image.Image) -> Iterator[tuple[Any, Image.Image]]:
    """PIL images in every mode and arrays, each with the 8-bit image that they are. Transparent pixels are white."""
    gray, clear = picture.convert("L"), Image.linear_gradient("L").resize(picture.size)
    on_white, gray_on_white = Image.new("RGB", picture.size, "white"), Image.new("L", picture.size, 255)
    on_white.paste(picture, mask=clear)
    gray_on_white.paste(gray, mask=clear)
    with_alpha = picture.copy()
    with_alpha.putalpha(clear)
    for converted in map(picture.convert, ("1", "L", "P", "RGB", "RGBX", "CMYK", "HSV", "YCbCr")):
        yield converted, converted.convert("RGB")
    yield with_alpha, on_white
    yield Image.merge("LA", (gray, clear)), gray_on_white
    levels = np.asarray(gray)
    for wide in (levels.astype(np.uint16) * 257, levels.astype("<u2") * 257):
        yield Image.fromarray(wide), gray
    for narrow in (levels.astype(np.int32), levels.astype(np.float32)):
        yield Image.fromarray(narrow), gray
    yield np.asarray(picture), picture
    yield np.asarray(gray), gray
    yield np.asarray(with_alpha), on_white
    yield np.asarray(picture)[::-1], picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    yield np.asfortranarray(np.asarray(picture)), picture
