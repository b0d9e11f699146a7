"""The size limit of avatars."""

from typing import Final

from genderclient._exceptions import InvalidAvatar

MAX_AVATAR_BYTES: Final = 10 * 2**20


def check_size(size_bytes: int) -> None:
    """Raises InvalidAvatar if an encoded avatar has more bytes than the limit."""
    if size_bytes > MAX_AVATAR_BYTES:
        raise InvalidAvatar(f"avatar: over the limit of {MAX_AVATAR_BYTES} bytes; send a smaller picture")
