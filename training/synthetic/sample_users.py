"""A few users that cover every case: drawn avatars, composed nicknames, and inputs that are missing."""

from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from PIL import Image

from .drawing import draw_default_avatar, draw_portrait, draw_scene

# The size and the quality at which platforms serve avatars.
AVATAR_PIXELS: Final = 132
JPEG_QUALITY: Final = 80


@dataclass(frozen=True)
class SampleUser:
    """The inputs of one user; None is missing. `file` is the name of the avatar's file, if it has one."""

    nickname: str | None = field(repr=False)
    avatar: bytes | None = field(repr=False)
    file: str = field(default="", repr=False)


def sample_users() -> list[SampleUser]:
    """Users whose avatar and nickname agree, conflict, say nothing or are missing."""
    return [
        SampleUser("浩然", _jpeg(draw_portrait("male", 5_000_104))),
        SampleUser("小美🌸", _jpeg(draw_portrait("female", 5_000_001))),
        SampleUser("Kevin_1988", _jpeg(draw_portrait("male", 5_000_105))),
        SampleUser("Vivian♥", _jpeg(draw_portrait("female", 5_000_004))),
        SampleUser("X国强", _jpeg(draw_scene(5_000_200))),
        SampleUser("诗涵", _jpeg(draw_scene(5_000_203))),
        SampleUser("AAA建材王哥", _jpeg(draw_scene(5_000_204))),
        SampleUser("ゞ丶婷婷灬", _jpeg(draw_scene(5_000_201))),
        SampleUser("随缘", _jpeg(draw_portrait("female", 5_000_007))),
        SampleUser("一路向北", _jpeg(draw_portrait("male", 5_000_102))),
        SampleUser("青春永驻", _jpeg(draw_scene(5_000_205))),
        SampleUser("🌹💄🎀", None),
        SampleUser("兄弟⚽", None),
        SampleUser(None, _jpeg(draw_portrait("female", 5_000_003))),
        SampleUser("微信用户", _jpeg(draw_default_avatar())),
        SampleUser(None, None),
    ]


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.resize((AVATAR_PIXELS, AVATAR_PIXELS), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
