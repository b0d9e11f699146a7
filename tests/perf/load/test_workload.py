"""Synthetic users look like those of the product and are reproducible."""

import base64
import json
from io import BytesIO

from PIL import Image

from genderprep import prepare_image, prepare_text
from genderprep.tensors import AVATAR, NICKNAME
from perf.load.workload import FORMATS, SIDES, SyntheticUser, perf_analyzer_data, synthetic_users


def test_seed_determines_the_users() -> None:
    assert synthetic_users(5, seed=3) == synthetic_users(5, seed=3)
    assert not set(synthetic_users(5, seed=3)) & set(synthetic_users(5, seed=4))


def test_users_cover_all_sizes_and_formats_and_preprocessing_accepts_them() -> None:
    users = synthetic_users(150, seed=1)
    pictures = [Image.open(BytesIO(user.avatar)) for user in users if user.avatar]
    assert {picture.format for picture in pictures} == FORMATS.keys()
    assert {picture.size for picture in pictures} == {(side, side) for side in SIDES}
    assert any(not user.avatar for user in users)
    assert any(not user.nickname for user in users)
    assert any(user.nickname.isascii() for user in users if user.nickname)
    for user in users:
        prepare_image(user.avatar)
        prepare_text(user.nickname.encode())


def test_perf_analyzer_data_has_length_prefixed_bytes() -> None:
    with perf_analyzer_data([SyntheticUser(b"\xff\xd8", "强")]) as file:
        (row,) = json.loads(file.read_text())["data"]
    assert base64.b64decode(row[AVATAR]["b64"]) == b"\x02\x00\x00\x00\xff\xd8"
    assert base64.b64decode(row[NICKNAME]["b64"]) == b"\x03\x00\x00\x00" + "强".encode()
