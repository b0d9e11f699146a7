"""Small valid files of every format and of most ways to write it: what all damage starts from."""

from functools import cache

from PIL import Image

from .encode import encoded, noise


@cache
def valid() -> dict[str, bytes]:
    """By name, a few kilobytes each."""
    picture = noise()
    frames = [noise(seed=seed) for seed in range(1, 4)]
    alpha = picture.convert("RGBA")
    alpha.putalpha(noise(seed=9).convert("L"))
    tags = Image.Exif()
    tags[0x0112] = 6
    profile = bytes(range(256)) * 4
    return {
        "JPEG": encoded(picture, "JPEG"),
        "JPEG, progressive": encoded(picture, "JPEG", progressive=True),
        "JPEG, grey": encoded(picture.convert("L"), "JPEG"),
        "JPEG, CMYK": encoded(picture.convert("CMYK"), "JPEG"),
        "JPEG, restart markers": encoded(picture, "JPEG", restart_marker_blocks=1),
        "JPEG, EXIF and ICC": encoded(picture, "JPEG", exif=tags, icc_profile=profile),
        "MPO": encoded(picture, "MPO", save_all=True, append_images=frames),
        "PNG": encoded(picture, "PNG"),
        "PNG, alpha": encoded(alpha, "PNG", exif=tags, icc_profile=profile),
        "PNG, palette": encoded(picture.quantize(16), "PNG", transparency=3),
        "APNG": encoded(picture, "PNG", save_all=True, append_images=frames),
        "GIF": encoded(picture, "GIF"),
        "GIF, animated": encoded(picture, "GIF", save_all=True, append_images=frames, comment=b"comment"),
        "WEBP": encoded(picture, "WEBP"),
        "WEBP, lossless": encoded(alpha, "WEBP", lossless=True, exif=tags.tobytes(), icc_profile=profile),
        "WEBP, animated": encoded(picture, "WEBP", save_all=True, append_images=frames, lossless=True),
        "BMP": encoded(picture, "BMP"),
        "BMP, palette": encoded(picture.quantize(16), "BMP"),
    }
