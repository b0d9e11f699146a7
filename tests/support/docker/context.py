"""What a builder is sent: the files of the repository that `.dockerignore` lets through."""

import re
from pathlib import Path, PurePosixPath
from typing import Final

from tests.support.tritonserver import ROOT

IGNORE: Final = ROOT / ".dockerignore"


def is_sent(path: str) -> bool:
    """Whether this file, relative to the root, is in the context: the last pattern that matches it decides."""
    sent = True
    for line in IGNORE.read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and _matches(pattern.removeprefix("!"), path):
            sent = pattern.startswith("!")
    return sent


def files_of(source: str) -> list[Path]:
    """The files that a COPY of `source` finds, relative to the root."""
    start = ROOT / source
    found = [start] if start.is_file() else sorted(file for file in start.rglob("*") if file.is_file())
    return [relative for file in found if is_sent(str(relative := file.relative_to(ROOT)))]


def _matches(pattern: str, path: str) -> bool:
    """A pattern speaks for what it names, and for everything below."""
    expression = "".join(
        {"**/": "(.*/)?", "*": "[^/]*"}.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*)", pattern)
    )
    names = (path, *map(str, PurePosixPath(path).parents))
    return any(re.fullmatch(expression, name) for name in names)
