r"""Collect the pages of the documentation site: all tracked Markdown files, notebooks and pictures, at the same paths.

    python docs/collect.py out/docs_source

Links to folders lead to their README. Links to files that are no pages, such as code, become plain text. Notebooks
become pages with their text and code. Pictures with a dark variant follow the switch of the site instead of the
reader's system.
"""

import json
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
_PAGES: Final = ("*.md", "*.ipynb", "*.png", "docs/badges/*.svg", ":!.github", ":!conversion/MODEL_CARD.template.md")
_PICTURES: Final = (".png", ".svg")
# What `figures.markdown.picture` writes.
_PICTURE: Final = re.compile(
    r'<picture>\s*<source [^>]*srcset="([^"]+)">\s*<img alt="([^"]*)" src="([^"]+)">\s*</picture>'
)
_LINK: Final = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def collect(target: Path) -> list[Path]:
    """Write the pages and pictures to an emptied folder, and return their paths relative to it."""
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", *_PAGES], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [Path(name) for name in listed.splitlines()]
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        if file.suffix in _PICTURES:
            shutil.copy(ROOT / file, target / file)
        else:
            (target / file.with_suffix(".md")).write_text(_page(file), encoding="utf-8")
    return files


def _page(file: Path) -> str:
    text = (ROOT / file).read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        text = "\n\n".join(map(_cell, json.loads(text)["cells"]))
    return _LINK.sub(partial(_link, file.parent), _PICTURE.sub(r"![\2](\3#only-light)![\2](\1#only-dark)", text))


def _cell(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    return source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```"


def _link(folder: Path, link: re.Match[str]) -> str:
    text, path, anchor = link[1], link[2], link[3] or ""
    file = ROOT / folder / path
    if file.is_dir():
        path, file = f"{path.rstrip('/')}/README.md", file / "README.md"
    is_page = file.is_file() and file.suffix in (".md", ".ipynb", *_PICTURES)
    path = re.sub(r"\.ipynb$", ".md", path)
    return f"[{text}]({path}{anchor})" if is_page else text


if __name__ == "__main__":
    collect(Path(sys.argv[1]))
