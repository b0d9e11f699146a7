"""Write the probes of `genderprep`: nicknames whose tokens are hashed, and images whose pixels are compared.

    python -m training.synthetic.probes

Run it after an intended change of preprocessing, then export the models again.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from PIL import Image

from genderprep.digest import PROBES
from genderprep.image import prepare_image

from .drawing import draw_portrait, draw_scene

NICKNAMES: Final = (
    "", " \u3164\u200b", "微信用户", "X小宝", "X国强", "青春永驻", "AAA建材王哥", "小仙女🌹", "👩🏽‍🚀👨‍👩‍👧", "⚽️♀️❤️",
    "ゞ丶婷灬", "ﾟ･✿ヾ╲", "Ｊack_1988", "Zoë", "Zoe\u0301", "Дмитрий", "سلام", "김민준", "さくら", "𝓛𝓾𝓬𝔂", "龘",
    "a" * 40, "😂" * 40, "1️⃣🇨🇳", "e" + "\u0301" * 30, "<PAD>",
    '<span class="emoji emoji1f338"></span>小美', "國強", "ᴀɴɴᴀ", "[玫瑰]小雨<3", r"&#127800;\ud83c\udf38",
    "小美\ue032",
)  # fmt: skip


def images() -> Iterator[tuple[str, bytes]]:
    """Yield file name and content of each probe image, one for each path through the decoder."""
    yield "portrait.jpg", _encode(draw_portrait("female", 11).resize((132, 132)), "JPEG", quality=60)
    yield "wide.jpg", _encode(draw_scene(12).resize((1600, 900)), "JPEG", quality=80)
    yield "turned.jpg", _encode(draw_portrait("male", 13).resize((200, 200)), "JPEG", exif=_rotated_exif())
    yield "cmyk.jpg", _encode(draw_scene(14).resize((96, 96)).convert("CMYK"), "JPEG")
    yield "alpha.png", _encode(_with_alpha_ramp(draw_portrait("female", 15).resize((160, 160))), "PNG")
    yield "palette.gif", _encode(draw_scene(16).resize((100, 140)).quantize(32), "GIF")
    yield "grey16.png", _encode(_gray16(), "PNG")
    yield "lossy.webp", _encode(draw_portrait("male", 17).resize((150, 150)), "WEBP", quality=70)


def main() -> None:
    PROBES.mkdir(exist_ok=True)
    (PROBES / "nicknames.json").write_text(json.dumps(NICKNAMES, indent=0) + "\n", encoding="utf-8")
    for name, content in images():
        (PROBES / name).write_bytes(content)
        pixels, _ = prepare_image(content)
        Image.fromarray(pixels).save(PROBES / f"{name.split('.')[0]}.expected.png", optimize=True)
    print(f"{len(NICKNAMES)} nicknames and {len(list(PROBES.glob('*.expected.png')))} images in {PROBES}")


def _encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _rotated_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _with_alpha_ramp(image: Image.Image) -> Image.Image:
    alpha = Image.linear_gradient("L").resize(image.size)
    image.putalpha(alpha)
    return image


def _gray16() -> Image.Image:
    ramp = Image.linear_gradient("L").resize((64, 64))
    return Image.frombytes("I;16", ramp.size, bytes(byte for value in ramp.tobytes() for byte in (0, value)))


if __name__ == "__main__":
    main()
