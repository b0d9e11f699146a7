"""The build context: the files of the repository that `.dockerignore` does not exclude."""

import re
from pathlib import Path, PurePosixPath
from typing import Final

from tests.support.tritonserver import ROOT

IGNORE: Final = ROOT / ".dockerignore"


def is_sent(path: str) -> bool:
    """Whether a file, given relative to the root, is in the build context. The last matching pattern decides."""
    sent = True
    for line in IGNORE.read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and _matches(pattern.removeprefix("!"), path):
            sent = pattern.startswith("!")
    return sent


def files_of(source: str) -> list[Path]:
    """Return the files that COPY takes for `source`, relative to the root."""
    start = ROOT / source
    files = [start] if start.is_file() else sorted(file for file in start.rglob("*") if file.is_file())
    return [relative for file in files if is_sent(str(relative := file.relative_to(ROOT)))]


def _matches(pattern: str, path: str) -> bool:
    """Whether a pattern matches a path or one of its parents."""
    expression = "".join(
        {"**/": "(.*/)?", "*": "[^/]*"}.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*)", pattern)
    )
    names = (path, *map(str, PurePosixPath(path).parents))
    return any(re.fullmatch(expression, name) for name in names)
