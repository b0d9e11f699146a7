"""The version of the SDK, the images and the documents. `client/pyproject.toml` is the source of all other places."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .errors import ReleaseError

SOURCE: Final = "client/pyproject.toml"
# The places by the files that have them. The group `version` is what they state.
_PLACES: Final = {
    SOURCE: re.compile(r'^version = "(?P<version>.+)"$', re.MULTILINE),
    "pyproject.toml": re.compile(r'^version = "(?P<version>.+)"$', re.MULTILINE),
    "CITATION.cff": re.compile(r"^version: (?P<version>.+)$", re.MULTILINE),
    "docker/**/*": re.compile(
        # Tags of our images, in commands and manifests, and the folder of a release in an object store.
        r"\bgender-(?:triton|reverse-proxy|edge-metrics|wheel|training|models)(?:[:/]|, newTag: )(?P<version>\d[\w.]*)"
    ),
}
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")


def current_version(root: Path) -> str:
    """The version that the next release has."""
    return str(tomllib.loads((root / SOURCE).read_text(encoding="utf-8"))["project"]["version"])


def disagreements(root: Path) -> list[str]:
    """The places that state another version than the source, and files that state none, each in words."""
    expected = current_version(root)
    found = []
    for pattern, place in _PLACES.items():
        stated = [(file, match["version"]) for file in _files(root, pattern) for match in place.finditer(_text(file))]
        if not stated:
            found.append(f"{pattern}: states no version, expected {expected}")
        found += [
            f"{file.relative_to(root)}: states {version}, expected {expected}"
            for file, version in stated
            if version != expected
        ]
    return found


def write_version(root: Path, version: str) -> None:
    """Write a version into all places.

    Raises:
        ReleaseError: It is not of the form major.minor.patch.
    """
    if not _VERSION.fullmatch(version):
        raise ReleaseError("version: expected three numbers, such as 1.2.3")
    for pattern, place in _PLACES.items():
        for file in _files(root, pattern):
            text = _text(file)
            if (changed := place.sub(lambda match: _replaced(match, version), text)) != text:
                file.write_text(changed, encoding="utf-8")


def _replaced(match: re.Match[str], version: str) -> str:
    start, end = (place - match.start() for place in match.span("version"))
    return match[0][:start] + version + match[0][end:]


def _files(root: Path, pattern: str) -> Iterator[Path]:
    return (file for file in sorted(root.glob(pattern)) if file.is_file())


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")
