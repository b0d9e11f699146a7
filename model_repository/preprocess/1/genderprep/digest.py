"""Binds weights to preprocessing: a digest of the tokens, and probe pictures for the pixels.

The digest covers only what changes pixels or tokens. Image decoders may differ by one gray level between processors, so
pixels are compared, not hashed.
"""

import hashlib
import json
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from . import markup, tensors, text, vocabulary
from .image import prepare_image
from .text import prepare_text

PROBES: Final = Path(__file__).with_name("probes")
METADATA_KEY: Final = "prep_digest"


class PrepMismatch(RuntimeError):
    """Weights were trained with another preprocessing, or this machine decodes pictures differently."""


def prep_digest() -> str:
    """SHA-256, in hexadecimal, of what determines pixels and tokens."""
    constants = [tensors.IMAGE_SIZE, tensors.RESIZE_FILTER, tensors.MAX_TOKENS, text.SENTINEL_NICKNAMES]
    digest = hashlib.sha256(json.dumps(constants, ensure_ascii=False).encode())
    for table in (vocabulary.VOCABULARY_FILE, markup.TABLES_FILE, markup.CHAT_CODES_FILE):
        digest.update(table.read_bytes())
    for nickname in json.loads((PROBES / "nicknames.json").read_text(encoding="utf-8")):
        tokens, present = prepare_text(nickname.encode())
        digest.update(tokens.astype("<i4").tobytes() + bytes([present]))
    return digest.hexdigest()


def check_probes() -> None:
    """Prepare the probe pictures and compare them with the stored results.

    Raises:
        PrepMismatch: A pixel differs by more than one gray level.
    """
    for expected_file in sorted(PROBES.glob("*.expected.png")):
        (probe,) = (p for p in PROBES.glob(expected_file.name.split(".")[0] + ".*") if p != expected_file)
        pixels, _ = prepare_image(probe.read_bytes())
        expected = np.asarray(Image.open(expected_file), np.int16)
        worst = int(np.abs(pixels - expected).max())
        if worst > 1:
            raise PrepMismatch(f"probe {probe.name}: expected pixels within 1 gray level, got a difference of {worst}")
