"""Avatars and pictures: what is accepted, and how it becomes the bytes of an image."""

from genderclient._avatar.encode import Avatar, encode_avatar
from genderclient._avatar.limits import MAX_AVATAR_BYTES
from genderclient._avatar.picture import encode_picture

__all__ = ["MAX_AVATAR_BYTES", "Avatar", "encode_avatar", "encode_picture"]
