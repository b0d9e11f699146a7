"""What one request may send. Weights do not depend on these limits, so changing one needs no retraining."""

from typing import Final

MAX_AVATAR_BYTES: Final = 10 * 2**20
MAX_AVATAR_PIXELS: Final = 32 * 10**6
MAX_NICKNAME_BYTES: Final = 4096

AVATAR_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
