"""The load is what the product sees, and the same every time."""

import base64
import json
from io import BytesIO
from pathlib import Path

from PIL import Image

from genderprep import prepare_image, prepare_text
from genderprep.tensors import AVATAR, NICKNAME
from perf.load.workload import FORMATS, SIDES, User, users, write_perf_analyzer_data


def test_the_same_seed_is_the_same_load() -> None:
    assert users(5, seed=3) == users(5, seed=3)
    assert not set(users(5, seed=3)) & set(users(5, seed=4))


def test_all_kinds_of_users_are_in_it_and_the_server_takes_each() -> None:
    load = users(150, seed=1)
    pictures = [Image.open(BytesIO(user.avatar)) for user in load if user.avatar]
    assert {picture.format for picture in pictures} == FORMATS.keys()
    assert {picture.size for picture in pictures} == {(side, side) for side in SIDES}
    assert any(not user.avatar for user in load)
    assert any(not user.nickname for user in load)
    assert any(user.nickname.isascii() for user in load if user.nickname)
    for user in load:
        prepare_image(user.avatar)
        prepare_text(user.nickname.encode())


def test_bytes_come_with_their_length(tmp_path: Path) -> None:
    file = write_perf_analyzer_data([User(b"\xff\xd8", "强")], tmp_path / "users.json")
    (row,) = json.loads(file.read_text())["data"]
    assert base64.b64decode(row[AVATAR]["b64"]) == b"\x02\x00\x00\x00\xff\xd8"
    assert base64.b64decode(row[NICKNAME]["b64"]) == b"\x03\x00\x00\x00" + "强".encode()
