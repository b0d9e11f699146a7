"""What a release is refused for, in a small repository of its own."""

import subprocess
from datetime import date
from pathlib import Path

import pytest

from release.badges import badges
from release.build import archive_models, check
from release.changelog import date_section, notes
from release.errors import ReleaseError
from release.versions import SOURCE, current_version, disagreements, write_version
from tests.support.tritonserver import ROOT

FILES = {
    SOURCE: '[project]\nname = "genderclient"\nversion = "0.1.0"\n',
    "pyproject.toml": '[project]\nversion = "0.1.0"\nrequires-python = ">=3.11"\n',
    "CITATION.cff": "cff-version: 1.2.0\nversion: 0.1.0\n",
    "docker/compose.yaml": "image: gender-triton:0.1.0\nimage: prom/prometheus:v3.0.1\n",
    "docker/kubernetes/kustomization.yaml": "- {name: gender-triton, newTag: 0.1.0}\nuri: s3://gender-models/0.1.0\n",
    "CHANGELOG.md": "# Changelog\n\n## 0.1.0 - 2026-01-02\n\n- First.\n",
    "model_repository/model.txt": "weights",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=test")


def test_versions_of_this_repository_agree() -> None:
    assert disagreements(ROOT) == []


def test_badges_of_this_repository_are_up_to_date() -> None:
    assert [file.name for file, svg in badges(ROOT).items() if file.read_text(encoding="utf-8") != svg] == []


def test_clean_tree_is_accepted(tree: Path) -> None:
    assert check(tree) == "0.1.0"
    assert notes(tree, "0.1.0") == "- First.\n"


@pytest.mark.parametrize("file", ["new.txt", "CITATION.cff"])
def test_uncommitted_file_is_refused(tree: Path, file: str) -> None:
    (tree / file).write_text("changed")
    with pytest.raises(ReleaseError, match=r"^1 files are not committed"):
        check(tree)


@pytest.mark.parametrize("file", [file for file in FILES if "0.1.0" in FILES[file] and file != "CHANGELOG.md"])
def test_another_version_is_refused(tree: Path, file: str) -> None:
    (tree / file).write_text(FILES[file].replace("0.1.0", "0.2.0"))
    commit(tree)
    with pytest.raises(ReleaseError, match=r"versions disagree; run: .*\n.*: states 0\.\d\.0, expected 0\.\d\.0"):
        check(tree)


def test_file_without_a_version_is_refused(tree: Path) -> None:
    (tree / "CITATION.cff").write_text("cff-version: 1.2.0\n")
    commit(tree)
    with pytest.raises(ReleaseError, match=r"CITATION.cff: states no version, expected 0\.1\.0"):
        check(tree)


@pytest.mark.parametrize("first", ["## Unreleased", "## 0.0.9 - 2026-01-01", "## 0.1.0"])
def test_changelog_without_the_version_is_refused(tree: Path, first: str) -> None:
    (tree / "CHANGELOG.md").write_text(f"# Changelog\n\n{first}\n\n- More.\n\n{FILES['CHANGELOG.md']}")
    commit(tree)
    with pytest.raises(ReleaseError, match=r"^CHANGELOG.md: expected the section '0\.1\.0 - <date>' first"):
        check(tree)


def test_new_version_reaches_every_place_and_nothing_else(tree: Path) -> None:
    (tree / "CHANGELOG.md").write_text(f"# Changelog\n\n## Unreleased\n\n- More.\n\n{FILES['CHANGELOG.md'][13:]}")
    write_version(tree, "0.2.0")
    date_section(tree, "0.2.0", date(2026, 2, 3))
    assert (current_version(tree), disagreements(tree)) == ("0.2.0", [])
    assert notes(tree, "0.2.0") == "- More.\n"
    assert "## 0.2.0 - 2026-02-03\n" in (tree / "CHANGELOG.md").read_text()
    assert "v3.0.1" in (tree / "docker/compose.yaml").read_text()
    with pytest.raises(ReleaseError, match=r"^version: expected three numbers"):
        write_version(tree, "v0.3")


def test_models_of_a_commit_are_archived_to_the_byte(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    first, second = (tmp_path_factory.mktemp("dist") / f"{name}.tar.gz" for name in ("first", "second"))
    archive_models(tree, first)
    (tree / "model_repository/model.txt").touch()
    archive_models(tree, second)
    assert first.read_bytes() == second.read_bytes()
