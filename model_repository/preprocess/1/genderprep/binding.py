"""Refuse to load beside weights that were trained with another preprocessing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from .digest import METADATA_KEY, PrepMismatch, check_probes, prep_digest

# An entry of `metadata_props` as protobuf writes it: field 1 is the key, field 2 the 64 hexadecimal digits.
_METADATA_ENTRY: Final = re.compile(b"\x0a%c%s\x12\x40([0-9a-f]{64})" % (len(METADATA_KEY), METADATA_KEY.encode()))


def check_binding(parameters: Mapping[str, Mapping[str, str]], repository: Path) -> None:
    """Compare this preprocessing with its config and with every ONNX file beside it.

    Raises:
        PrepMismatch: names the file, the digest it carries and the digest of this code.
    """
    expected = prep_digest()
    for source, found in _digests(parameters, repository):
        if found != expected:
            raise PrepMismatch(
                f"{source} belongs to preprocessing {found[:12] or 'unknown'}, this is {expected[:12]}; "
                "export the model again with `python -m conversion.publish`"
            )
    check_probes()


def _digests(parameters: Mapping[str, Mapping[str, str]], repository: Path) -> Iterator[tuple[str, str]]:
    yield "preprocess/config.pbtxt", parameters.get(METADATA_KEY, {}).get("string_value", "")
    for file in sorted(repository.glob("*/*/model.onnx")):
        # The metadata is written behind the graph, so the last match is the file's own.
        if entries := _METADATA_ENTRY.findall(file.read_bytes()):
            yield str(file.relative_to(repository)), entries[-1].decode()
