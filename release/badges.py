"""The badges of the READMEs, drawn from what the project states about itself."""

import re
import tomllib
from html import escape
from pathlib import Path
from typing import Final

from .versions import SOURCE

FOLDER: Final = "docs/badges"
# Width of a character of 11 px and of the space around a text, in pixels.
_CHARACTER: Final = 6.6
_PADDING: Final = 12
_SVG: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {value}">
  <title>{label}: {value}</title>
  <clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>
  <g clip-path="url(#r)">
    <rect width="{left}" height="20" fill="#555"/>
    <rect x="{left}" width="{right}" height="20" fill="#0a6496"/>
  </g>
  <g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
    <text x="{left_middle}" y="14" textLength="{left_text}">{label}</text>
    <text x="{right_middle}" y="14" textLength="{right_text}">{value}</text>
  </g>
</svg>
"""


def badges(root: Path) -> dict[Path, str]:
    """The files of all badges, and their SVG."""
    sdk = tomllib.loads((root / SOURCE).read_text(encoding="utf-8"))["project"]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    versions = [match[1] for each in sdk["classifiers"] if (match := re.search(r":: (3\.\d+)$", each))]
    values = {
        "version": ("version", sdk["version"]),
        "license": ("license", sdk["license"]),
        "python": ("Python of the SDK", f"{versions[0]} – {versions[-1]}"),
        "types": ("types", "mypy strict" if project["tool"]["mypy"]["strict"] else "mypy"),
    }
    return {root / FOLDER / f"{name}.svg": _draw(*texts) for name, texts in values.items()}


def write_badges(root: Path) -> None:
    """Write all badges."""
    for file, svg in badges(root).items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(svg, encoding="utf-8")


def _draw(label: str, value: str) -> str:
    left_text, right_text = (round(len(text) * _CHARACTER) for text in (label, value))
    left, right = left_text + _PADDING, right_text + _PADDING
    return _SVG.format(
        width=left + right,
        left=left,
        right=right,
        left_text=left_text,
        right_text=right_text,
        left_middle=left / 2,
        right_middle=left + right / 2,
        label=escape(label),
        value=escape(value),
    )
