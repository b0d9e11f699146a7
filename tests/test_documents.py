"""Relative links in the tracked Markdown files and notebooks point to existing files and headings."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Its links are relative to the root, where the model card is written.
TEMPLATE = "conversion/MODEL_CARD.template.md"
FILES = subprocess.run(["git", "ls-files", "*.md", "*.ipynb"], cwd=ROOT, capture_output=True, text=True).stdout.split()
RELATIVE_LINK = re.compile(r"""(?:\]\(|\b(?:src|srcset)=")(?![a-z]+:)([^)#\s"]*)(?:#([^)\s"]*))?[)"]""")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    headings = HEADING.findall(document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.skipif(not FILES, reason="the tracked files are unknown outside a git checkout")
def test_relative_links_resolve() -> None:
    broken = []
    for name in FILES:
        document = ROOT / name
        folder = ROOT if name == TEMPLATE else document.parent
        for path, anchor in RELATIVE_LINK.findall(document.read_text(encoding="utf-8")):
            target = folder / path if path else document
            if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
                broken.append(f"{name}: {path}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("document", ["README.md", "docs/architecture.md"])
def test_named_files_exist(document: str) -> None:
    named = re.findall(r"`([a-z_]+/[\w./]*\.(?:py|md|yaml|sh))`", (ROOT / document).read_text(encoding="utf-8"))
    genderprep = ROOT / "model_repository/preprocess/1"
    assert [name for name in named if not (ROOT / name).exists() and not (genderprep / name).exists()] == []


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (targets,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert set(targets.split()) == set(re.findall(r"^# make ([\w-]+)", makefile, re.MULTILINE))


@pytest.mark.parametrize(
    "document", ["CONTRIBUTING.md", "README.md", "README.zh.md", ".ci/run", ".github/workflows/ci.yaml"]
)
def test_named_make_commands_exist(document: str) -> None:
    (targets,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:`|^|run: )make ([a-z][\w-]*)", (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE)
    assert named
    assert set(named) <= set(targets.split())
