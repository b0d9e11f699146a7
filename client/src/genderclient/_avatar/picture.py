"""Pictures of a gallery, which may be whatever an avatar may be."""

from genderclient._avatar.encode import FOR_NO_AVATAR, Avatar, encode_avatar
from genderclient._exceptions import InvalidAvatar, InvalidPicture


def encode_picture(picture: "Avatar | None", *, allow_paths: bool = True) -> bytes:
    """Returns the encoded picture, like `encode_avatar`. Its errors name the argument `picture`."""
    try:
        return encode_avatar(picture, allow_paths=allow_paths)
    except InvalidAvatar as exc:
        raise InvalidPicture(_about_picture(exc)) from None
    except TypeError as exc:
        raise TypeError(_about_picture(exc)) from None


def _about_picture(error: Exception) -> str:
    message = str(error).removeprefix("avatar").removesuffix(", or None")
    return f"picture{message.removesuffix(FOR_NO_AVATAR)}"
