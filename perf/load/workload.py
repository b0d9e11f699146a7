"""What the load is made of: users as the product sees them, drawn and composed here, the same for the same seed."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Final

from PIL import Image

from genderprep.tensors import AVATAR, LABELS, NICKNAME
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import Names, builtin_names, compose

# Sides of avatars in pixels: platforms hand out 132, some users' own are larger, a few smaller.
SIDES: Final = {96: 1, 132: 6, 200: 1, 320: 1, 640: 1}
FORMATS: Final = {"JPEG": 8, "PNG": 1, "WEBP": 1}


@dataclass(frozen=True)
class User:
    """One request: an encoded avatar, empty if there is none, and a nickname."""

    avatar: bytes
    nickname: str


def users(count: int, seed: int) -> list[User]:
    """So many users, of all sizes, formats and kinds of nickname."""
    gallery, names = AvatarPool(), builtin_names()
    return [_user(gallery, names, seed * 1_000_000 + index) for index in range(count)]


def write_perf_analyzer_data(load: Iterable[User], file: Path) -> Path:
    """The users as perf_analyzer's `--input-data`; returns the file."""
    data = [{AVATAR: _bytes(user.avatar), NICKNAME: _bytes(user.nickname.encode())} for user in load]
    file.write_text(json.dumps({"data": data}), encoding="utf-8")
    return file


def _user(gallery: AvatarPool, names: Names, seed: int) -> User:
    dice = Random(f"{seed}/load")
    avatar = gallery.pick("test", dice.choice((*LABELS, "")), seed, dice)
    nickname = compose(dice.choice((*LABELS, "")), names, dice)
    return User(_encoded(avatar.encode(dice), dice) if avatar else b"", nickname.text)


def _encoded(avatar: bytes, dice: Random) -> bytes:
    """A picture again, at a side and in a format that dice decide."""
    (side,) = dice.choices(list(SIDES), [*SIDES.values()])
    (form,) = dice.choices(list(FORMATS), [*FORMATS.values()])
    file = BytesIO()
    Image.open(BytesIO(avatar)).convert("RGB").resize((side, side)).save(file, form, quality=dice.randint(70, 92))
    return file.getvalue()


def _bytes(value: bytes) -> dict[str, str]:
    """BYTES as perf_analyzer reads them: with their length before them."""
    return {"b64": base64.b64encode(len(value).to_bytes(4, "little") + value).decode()}
