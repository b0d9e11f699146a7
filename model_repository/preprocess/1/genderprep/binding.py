"""Refuse to load where an ensemble wires weights to it that were trained with another preprocessing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from .digest import METADATA_KEY, PrepMismatch, check_probes, prep_digest

# An entry of `metadata_props` as protobuf writes it: field 1 is the key, field 2 the 64 hexadecimal digits.
_METADATA_ENTRY: Final = re.compile(b"\x0a%c%s\x12\x40([0-9a-f]{64})" % (len(METADATA_KEY), METADATA_KEY.encode()))
_COMMENT: Final = re.compile(r"(?m)#.*$")
_STEP: Final = re.compile(r'\bmodel_name:\s*"([^"]+)"(?:\s*model_version:\s*(-?\d+))?')
_LATEST: Final = -1


def check_binding(parameters: Mapping[str, Mapping[str, str]], model: Path, version: int) -> None:
    """Compare this preprocessing, `version` of `model`, with its config and with all that ensembles wire to it.

    Raises:
        PrepMismatch: names the file, the digest it carries and the digest of this code.
    """
    expected = prep_digest()
    for source, found in _digests(parameters, model, version):
        if found != expected:
            raise PrepMismatch(
                f"{source} belongs to preprocessing {found[:12] or 'unknown'}, {model.name} {version} is "
                f"{expected[:12]}; export the model again with `python -m conversion.publish`"
            )
    check_probes()


def _digests(parameters: Mapping[str, Mapping[str, str]], model: Path, version: int) -> Iterator[tuple[str, str]]:
    key = f"{METADATA_KEY}_{version}"
    yield f"{key} of {model.name}/config.pbtxt", parameters.get(key, {}).get("string_value", "")
    for file in sorted(_wired(model, version)):
        # The metadata is written behind the graph, so the last match is the file's own.
        if entries := _METADATA_ENTRY.findall(file.read_bytes()):
            yield str(file.relative_to(model.parent)), entries[-1].decode()


def _wired(model: Path, version: int) -> set[Path]:
    """The ONNX files that are in an ensemble with this preprocessing."""
    found = set()
    for config in model.parent.glob("*/config.pbtxt"):
        text = _COMMENT.sub("", config.read_text(encoding="utf-8"))
        steps = [model.parent / name / _version(model.parent / name, wired) for name, wired in _STEP.findall(text)]
        if model / str(version) in steps:
            found |= {step / "model.onnx" for step in steps}
    return {file for file in found if file.is_file()}


def _version(model: Path, wired: str) -> str:
    """The version that an ensemble wires; it may say the latest, or nothing, which is the latest."""
    if int(wired or _LATEST) != _LATEST:
        return wired
    return str(max((int(folder.name) for folder in model.glob("*") if folder.name.isdigit()), default=0))
