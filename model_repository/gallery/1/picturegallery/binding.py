"""Checks, when a version of the gallery loads, that the models wired to it belong to the encoder of its vectors.

It reads configurations and ONNX metadata by pattern: NVIDIA's container has neither protobuf nor onnx for Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .errors import GalleryError
from .files import ENCODER_DIGEST

# An entry of `metadata_props` as protobuf writes it: field 1 is the key, field 2 the 64 hexadecimal digits.
_METADATA_ENTRY: Final = re.compile(b"\x0a%c%s\x12\x40([0-9a-f]{64})" % (len(ENCODER_DIGEST), ENCODER_DIGEST.encode()))
_COMMENT: Final = re.compile(r"(?m)#.*$")
_STEP: Final = re.compile(r'\bmodel_name:\s*"([^"]+)"\s*model_version:\s*(\d+)')


def check_encoder(expected: str, model: Path, version: int) -> None:
    """Compare the digest of a gallery's encoder with those of the ONNX files that share an ensemble with it.

    The encoder and the rankers state the digest; other models do not, and are not checked.

    Args:
        expected: The digest in `gallery.json`.
        model: The folder of the gallery.
        version: The version that is being loaded.

    Raises:
        GalleryError: A digest differs; the message names the file and both digests.
    """
    for file in sorted(_wired(model, version)):
        # Metadata follows the graph, so the last match is the metadata entry.
        if (entries := _METADATA_ENTRY.findall(file.read_bytes())) and entries[-1].decode() != expected:
            raise GalleryError(
                f"{file.relative_to(model.parent)} has the encoder {entries[-1].decode()[:12]}, the vectors of "
                f"{model.name} {version} are of {expected[:12]}; publish the gallery with this encoder: "
                f"python -m conversion.publish_gallery"
            )


def _wired(model: Path, version: int) -> Iterator[Path]:
    for config in model.parent.glob("*/config.pbtxt"):
        steps = _STEP.findall(_COMMENT.sub("", config.read_text(encoding="utf-8")))
        if (model.name, str(version)) in steps:
            files = (model.parent / name / wired / "model.onnx" for name, wired in steps)
            yield from (file for file in files if file.is_file())
