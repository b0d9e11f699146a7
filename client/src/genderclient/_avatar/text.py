"""Avatars given as text: a path, a `data:` URL, or base64. No error contains the text."""

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from genderclient._avatar.files import read_file
from genderclient._avatar.limits import MAX_AVATAR_BYTES, check_size
from genderclient._exceptions import InvalidAvatar

# The longest path of Linux. Longer text is never opened.
_MAX_PATH: Final = 4096
# Percent-encoding, the longest coding, takes three characters for a byte.
_MAX_TEXT: Final = 3 * MAX_AVATAR_BYTES + 2**16

# How much of a text shows whether it is an image.
_HEAD: Final = 256

_DATA_URL: Final = re.compile(r"\s*data:([^,]*),(.*)", re.IGNORECASE | re.DOTALL)
_BYTES_LITERAL: Final = re.compile(r"\s*(?:b['\"]|bytearray\(b['\"]|<memory at |<PIL\.)")
_SCHEME: Final = re.compile(r"[\s<\"'(\[]*(?:url\([\s\"']*)?(?:https?|ftp)\s*(?::|%3a|\uff1a)", re.IGNORECASE)
_HOST: Final = re.compile(
    r"[\s<\"'(\[]*(?:[/\\]{2}|:/|www\.|(?:[\w-]+\.)+(?:com|cn|net|org|io|me|cc|co|hk|tw|jp|uk)(?::\d+)?[/?])",
    re.IGNORECASE,
)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\s-]{16,}[=\s]*")
_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")
_IMAGE: Final = re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|BM....\0\0\0\0|....ftyp", re.DOTALL)


def decode_text(text: str, allow_paths: bool) -> bytes:
    """Returns the image that the text contains or names."""
    check_size(len(text) - _MAX_TEXT + MAX_AVATAR_BYTES)
    if match := _DATA_URL.match(text):
        return _decode_data_url(media_type=match[1], data=match[2])
    if _starts_as_image(text) and _BASE64.fullmatch(text):
        return _decode_base64(text)
    if _SCHEME.match(text):
        raise _web_address()
    if _BYTES_LITERAL.match(text):
        raise InvalidAvatar("avatar: got the printed form of an object; pass the object itself")
    if len(text) <= _MAX_PATH and allow_paths:
        try:
            return read_file(text)
        except InvalidAvatar:
            if not _HOST.match(text):
                raise
    if _HOST.match(text):
        raise _web_address()
    expected = "a path, a data: URL or base64 of an image" if allow_paths else "a data: URL or base64 of an image"
    raise InvalidAvatar(f"avatar: got {len(text)} characters of text, expected {expected}; pass the bytes")


def decode_text_in_bytes(content: bytes) -> bytes:
    """Returns the image of base64 or of a `data:` URL that are given as bytes, else the bytes themselves."""
    if not content[:_HEAD].isascii():
        return content
    head = content[:_HEAD].decode("ascii")
    if _DATA_URL.match(head) or _starts_as_image(head):
        return decode_text(content.decode("latin-1"), allow_paths=False)
    return content


def _web_address() -> InvalidAvatar:
    return InvalidAvatar("avatar: got a web address; fetch it with an AvatarFetcher and pass the bytes")


def _decode_data_url(*, media_type: str, data: str) -> bytes:
    """Decodes the part of a `data:` URL after the comma (RFC 2397)."""
    try:
        content = unquote_to_bytes(data)
    except UnicodeEncodeError:
        raise InvalidAvatar("avatar: the data: URL is damaged; pass the bytes") from None
    if media_type.rstrip().lower().endswith(";base64"):
        return _decode_base64(content.decode("ascii", "replace"))
    return content


def _starts_as_image(text: str) -> bool:
    try:
        return _IMAGE.match(_decode_base64(text[:_HEAD].strip()[:24])) is not None
    except InvalidAvatar:
        return False


def _decode_base64(text: str) -> bytes:
    """Decodes base64 in the standard or the URL-safe alphabet, with or without line breaks and padding."""
    digits = "".join(text.split()).translate(_STANDARD_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidAvatar("avatar: the base64 text is damaged; pass the bytes") from None
