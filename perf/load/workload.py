"""Synthetic users that look like those of the product; the same seed gives the same users."""

import base64
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Final

from PIL import Image

from genderprep.tensors import AVATAR, LABELS, NICKNAME
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import Names, builtin_names, compose

# Weights of avatar sides, px: platforms deliver 132; uploads are larger, a few are smaller.
SIDES: Final = {96: 1, 132: 6, 200: 1, 320: 1, 640: 1}
FORMATS: Final = {"JPEG": 8, "PNG": 1, "WEBP": 1}


@dataclass(frozen=True)
class SyntheticUser:
    """The inputs of one request: an encoded avatar (empty if missing) and a nickname."""

    avatar: bytes
    nickname: str


def synthetic_users(count: int, seed: int) -> list[SyntheticUser]:
    """Draw users with all sizes and formats of avatars and all kinds of nicknames."""
    pool, names = AvatarPool(), builtin_names()
    return [_user(pool, names, seed * 1_000_000 + index) for index in range(count)]


@contextmanager
def perf_analyzer_data(users: Iterable[SyntheticUser]) -> Iterator[Path]:
    """Write users as `--input-data` of perf_analyzer to a temporary file."""
    data = [{AVATAR: _bytes(user.avatar), NICKNAME: _bytes(user.nickname.encode())} for user in users]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"data": data}, file)
        file.flush()
        yield Path(file.name)


def _user(pool: AvatarPool, names: Names, seed: int) -> SyntheticUser:
    rng = Random(f"{seed}/load")
    avatar = pool.pick("test", rng.choice((*LABELS, "")), seed, rng)
    nickname = compose(rng.choice((*LABELS, "")), names, rng)
    return SyntheticUser(_reencoded(avatar.encode(rng), rng) if avatar else b"", nickname.text)


def _reencoded(avatar: bytes, rng: Random) -> bytes:
    (side,) = rng.choices(list(SIDES), [*SIDES.values()])
    (image_format,) = rng.choices(list(FORMATS), [*FORMATS.values()])
    file = BytesIO()
    picture = Image.open(BytesIO(avatar)).convert("RGB").resize((side, side))
    picture.save(file, image_format, quality=rng.randint(70, 92))
    return file.getvalue()


def _bytes(value: bytes) -> dict[str, str]:
    """Encode a BYTES element as perf_analyzer reads it: a length prefix, then base64."""
    return {"b64": base64.b64encode(len(value).to_bytes(4, "little") + value).decode()}
