"""What binds weights to preprocessing: a digest of everything exact, probes for the pixels.

Image decoders may differ by one grey level between processors, so pixels are compared, not hashed.
"""

import hashlib
import json
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from . import contract
from .image import prepare_image
from .text import VOCABULARY_FILE, prepare_text

PROBES: Final = Path(__file__).with_name("probes")
METADATA_KEY: Final = "prep_digest"


class PrepMismatch(RuntimeError):
    """Weights and preprocessing do not belong together, or this machine decodes pictures differently."""


def prep_digest() -> str:
    """SHA-256, in hexadecimal, of the contract, the vocabulary and the tokens of the probe nicknames."""
    constants = {name: value for name, value in vars(contract).items() if name.isupper()}
    digest = hashlib.sha256(json.dumps(constants, sort_keys=True, ensure_ascii=False).encode())
    digest.update(VOCABULARY_FILE.read_bytes())
    for nickname in json.loads((PROBES / "nicknames.json").read_text(encoding="utf-8")):
        tokens, present = prepare_text(nickname.encode())
        digest.update(tokens.astype("<i4").tobytes() + bytes([present]))
    return digest.hexdigest()


def check_probes() -> None:
    """Prepare the probe pictures and compare them with the stored results.

    Raises:
        PrepMismatch: some pixel differs by more than one grey level.
    """
    for expected_file in sorted(PROBES.glob("*.expected.png")):
        (probe,) = (p for p in PROBES.glob(expected_file.name.split(".")[0] + ".*") if p != expected_file)
        pixels, _ = prepare_image(probe.read_bytes())
        expected = np.asarray(Image.open(expected_file), np.int16)
        worst = int(np.abs(pixels - expected).max())
        if worst > 1:
            raise PrepMismatch(f"probe {probe.name}: pixels differ by {worst} grey levels, 1 is allowed")
