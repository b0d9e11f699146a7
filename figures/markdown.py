"""A plot in a Markdown document."""

from pathlib import Path

from .save import dark


def picture(alt: str, file: str) -> str:
    """Return the HTML that shows `file`, or its dark variant to readers of dark pages.

    GitHub follows the reader's setting; `docs/collect.py` writes it in the form of our site.
    """
    return f"""\
<picture>
  <source media="(prefers-color-scheme: dark)" srcset="{dark(Path(file)).as_posix()}">
  <img alt="{alt}" src="{file}">
</picture>"""
