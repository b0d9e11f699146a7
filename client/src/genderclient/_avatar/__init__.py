"""Avatars: what `predict` accepts, and how it becomes the bytes of an image."""

from genderclient._avatar.encode import Avatar, encode_avatar
from genderclient._avatar.limits import MAX_AVATAR_BYTES

__all__ = ["MAX_AVATAR_BYTES", "Avatar", "encode_avatar"]
