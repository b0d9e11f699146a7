"""Checks, when `preprocess` loads, that all weights wired to it were trained with this preprocessing.

It reads configurations and ONNX metadata by pattern: NVIDIA's container has neither protobuf nor onnx for Python.
"""

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
    """Compare the digest of this code with those declared for it and for the weights that ensembles wire to it.

    Args:
        parameters: The parameters of `preprocess/config.pbtxt`.
        model: The folder of `preprocess`.
        version: The version of `preprocess` that is being loaded.

    Raises:
        PrepMismatch: A digest differs; the message names the file and both digests.
    """
    expected = prep_digest()
    for source, actual in _digests(parameters, model, version):
        if actual != expected:
            raise PrepMismatch(
                f"{source} belongs to preprocessing {actual[:12] or 'unknown'}, {model.name} {version} is "
                f"{expected[:12]}; export the model again with `python -m conversion.publish`"
            )
    check_probes()


def _digests(parameters: Mapping[str, Mapping[str, str]], model: Path, version: int) -> Iterator[tuple[str, str]]:
    key = f"{METADATA_KEY}_{version}"
    yield f"{key} of {model.name}/config.pbtxt", parameters.get(key, {}).get("string_value", "")
    for file in sorted(_wired(model, version)):
        # Metadata follows the graph, so the last match is the metadata entry.
        if entries := _METADATA_ENTRY.findall(file.read_bytes()):
            yield str(file.relative_to(model.parent)), entries[-1].decode()


def _wired(model: Path, version: int) -> set[Path]:
    """The ONNX files that share an ensemble with this version of `preprocess`."""
    files = set()
    for config in model.parent.glob("*/config.pbtxt"):
        text = _COMMENT.sub("", config.read_text(encoding="utf-8"))
        steps = [model.parent / name / _version(model.parent / name, wired) for name, wired in _STEP.findall(text)]
        if model / str(version) in steps:
            files |= {step / "model.onnx" for step in steps}
    return {file for file in files if file.is_file()}


def _version(model: Path, wired: str) -> str:
    """The version that a step names; -1, or none, is the latest on disk."""
    if int(wired or _LATEST) != _LATEST:
        return wired
    return str(max((int(folder.name) for folder in model.glob("*") if folder.name.isdigit()), default=0))
