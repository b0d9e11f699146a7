"""`CHANGELOG.md`: a section for each version, the newest first; the first one may be `Unreleased`."""

import re
from datetime import date
from pathlib import Path
from typing import Final

from .errors import ReleaseError

FILE: Final = "CHANGELOG.md"
_UNRELEASED: Final = "## Unreleased\n"
_SECTION: Final = re.compile(r"^## (?P<title>.+)\n(?P<text>(?:(?!## ).*\n?)*)", re.MULTILINE)


def notes(root: Path, version: str) -> str:
    """What the newest section says, without its heading.

    Raises:
        ReleaseError: The newest section is not that of this version.
    """
    match = _SECTION.search((root / FILE).read_text(encoding="utf-8"))
    if match is None or not re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", match["title"]):
        raise ReleaseError(
            f"{FILE}: expected the section '{version} - <date>' first; describe the changes under 'Unreleased' "
            "and run: python -m release version <new version>"
        )
    return match["text"].strip() + "\n"


def date_section(root: Path, version: str, day: date) -> None:
    """Turn the section `Unreleased`, if there is one, into that of a version."""
    file = root / FILE
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(_UNRELEASED, f"## {version} - {day}\n", 1), encoding="utf-8")
