"""Avatars given as text: decoded where they contain an image, and never shown in an error."""

import base64
import traceback
from collections.abc import Callable
from urllib.parse import quote

import pytest
from PIL import Image

from genderclient import InvalidAvatar
from genderclient._avatar import MAX_AVATAR_BYTES, encode_avatar
from tests.support.pictures import encode, noise

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
PICTURES = [encode(noise(16), kind) for kind in FORMATS]
MARKER = "xiaomei1990"


def printed(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


@pytest.mark.parametrize("picture", PICTURES, ids=FORMATS)
@pytest.mark.parametrize(
    "spell",
    [
        printed,
        lambda picture: printed(picture).rstrip("="),
        lambda picture: base64.urlsafe_b64encode(picture).decode(),
        lambda picture: base64.encodebytes(picture).decode(),
        lambda picture: f" {printed(picture)}\r\n",
        lambda picture: f"data:image/png;base64,{printed(picture)}",
        lambda picture: f"DATA:;Base64,{printed(picture)}",
        lambda picture: f"data:image/jpeg;charset=utf-8;base64,{quote(printed(picture), safe='')}",
        lambda picture: f"data:image/gif,{quote(picture)}",
    ],
)
def test_image_in_text_is_decoded(picture: bytes, spell: Callable[[bytes], str]) -> None:
    assert encode_avatar(spell(picture), allow_paths=False) == picture
    assert encode_avatar(spell(picture).encode(), allow_paths=False) == picture


@pytest.mark.parametrize(
    "address",
    [
        f"https://host/{MARKER}.jpg",
        f"HTTP://host/{MARKER}.jpg",
        f"  https://host/{MARKER}.jpg\n",
        f"//host/{MARKER}/132",
        f"https:/host/{MARKER}.jpg",
        f"https:\\\\host\\{MARKER}.jpg",
        f"https%3A%2F%2Fhost%2F{MARKER}.jpg",
        f"https：//host/{MARKER}.jpg",
        f"://host/{MARKER}.jpg",
        f"<https://host/{MARKER}.jpg>",
        f"'https://host/{MARKER}.jpg'",
        f"url(https://host/{MARKER}.jpg)",
        f"ftp://host/{MARKER}.jpg",
        f"www.host.de/{MARKER}.jpg",
        f"thirdwx.qlogo.cn/mmopen/{MARKER}/132",
        f"https://host/{MARKER * 1000}.jpg",
    ],
)
@pytest.mark.parametrize("allow_paths", [True, False])
def test_web_address_gets_a_hint(address: str, allow_paths: bool) -> None:
    check_rejected(address, "got a web address; fetch it with an AvatarFetcher", allow_paths=allow_paths)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (str(MARKER.encode()), "printed form of an object"),
        (str(bytearray(MARKER.encode())), "printed form of an object"),
        (f"b'{MARKER * 1000}'", "printed form of an object"),
        (f"data:image/png;base64,{MARKER}*", "base64 text is damaged"),
        (f"data:image/png,{MARKER}\ud800", "data: URL is damaged"),
        (MARKER * 1000, "got 11000 characters of text, expected a path, a data: URL or base64"),
        (MARKER, "cannot read the file: No such file"),
        (f"{MARKER}/1.jpg", "cannot read the file: No such file"),
        (MARKER * 100, "cannot read the file: File name too long"),
        (MARKER * 10 * 2**20, f"over the limit of {MAX_AVATAR_BYTES} bytes"),
    ],
    ids=range(10),
)
def test_other_text_is_rejected(text: str, reason: str) -> None:
    check_rejected(text, reason)


def check_rejected(text: str, reason: str, *, allow_paths: bool = True) -> None:
    with pytest.raises(InvalidAvatar, match=reason) as caught:
        encode_avatar(text, allow_paths=allow_paths)
    assert MARKER not in str(caught.value)
    assert MARKER not in "".join(line for line in traceback.format_exception(caught.value) if "Error" in line)
    assert caught.value.__cause__ is None


def test_text_in_another_image_mode() -> None:
    picture = encode(Image.new("1", (8, 8), 1), "BMP")
    assert encode_avatar(printed(picture)) == picture
