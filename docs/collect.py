r"""Collect the pages of the documentation site: all tracked Markdown files and pictures, at the same paths.

    python docs/collect.py out/docs_source

Links to folders lead to their README. Links to files that are no pages, such as code, become plain text.
"""

import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_PAGES: Final = ("*.md", "*.png", ":!.github", ":!conversion/MODEL_CARD.template.md")
_LINK: Final = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def collect(target: Path) -> list[Path]:
    """Write the pages and pictures to an emptied folder, and return their paths relative to it."""
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", *_PAGES], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [Path(name) for name in listed.splitlines()]
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            page = _LINK.sub(partial(_link, file.parent), (ROOT / file).read_text(encoding="utf-8"))
            (target / file).write_text(page, encoding="utf-8")
        else:
            shutil.copy(ROOT / file, target / file)
    return files


def _link(folder: Path, link: re.Match[str]) -> str:
    text, path, anchor = link[1], link[2], link[3] or ""
    file = ROOT / folder / path
    if file.is_dir():
        path, file = f"{path.rstrip('/')}/README.md", file / "README.md"
    is_page = file.is_file() and file.suffix in (".md", ".png")
    return f"[{text}]({path}{anchor})" if is_page else text


if __name__ == "__main__":
    collect(Path(sys.argv[1]))
