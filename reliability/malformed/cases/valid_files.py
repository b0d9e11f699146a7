"""Small valid files in every accepted format and its common variants; corruption starts from them."""

from functools import cache

from PIL import Image

from .encode import noise, pillow


@cache
def valid_files() -> dict[str, bytes]:
    """Return files of a few kilobytes by name."""
    picture = noise()
    frames = [noise(seed=seed) for seed in range(1, 4)]
    alpha = picture.convert("RGBA")
    alpha.putalpha(noise(seed=9).convert("L"))
    tags = Image.Exif()
    tags[0x0112] = 6
    profile = bytes(range(256)) * 4
    return {
        "JPEG": pillow(picture, "JPEG"),
        "JPEG, progressive": pillow(picture, "JPEG", progressive=True),
        "JPEG, grey": pillow(picture.convert("L"), "JPEG"),
        "JPEG, CMYK": pillow(picture.convert("CMYK"), "JPEG"),
        "JPEG, restart markers": pillow(picture, "JPEG", restart_marker_blocks=1),
        "JPEG, EXIF and ICC": pillow(picture, "JPEG", exif=tags, icc_profile=profile),
        "MPO": pillow(picture, "MPO", save_all=True, append_images=frames),
        "PNG": pillow(picture, "PNG"),
        "PNG, alpha": pillow(alpha, "PNG", exif=tags, icc_profile=profile),
        "PNG, palette": pillow(picture.quantize(16), "PNG", transparency=3),
        "APNG": pillow(picture, "PNG", save_all=True, append_images=frames),
        "GIF": pillow(picture, "GIF"),
        "GIF, animated": pillow(picture, "GIF", save_all=True, append_images=frames, comment=b"comment"),
        "WEBP": pillow(picture, "WEBP"),
        "WEBP, lossless": pillow(alpha, "WEBP", lossless=True, exif=tags.tobytes(), icc_profile=profile),
        "WEBP, animated": pillow(picture, "WEBP", save_all=True, append_images=frames, lossless=True),
        "BMP": pillow(picture, "BMP"),
        "BMP, palette": pillow(picture.quantize(16), "BMP"),
    }
