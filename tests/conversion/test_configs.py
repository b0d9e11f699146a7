"""`conversion.configs`: the configurations of the repository are those of the templates."""

import shutil
from pathlib import Path

import pytest

from conversion.configs import render, write_configs
from server.catalog import CONFIG, GENDER, RANK, Catalog, CatalogError
from tests.support.tritonserver import ROOT

REPOSITORY = ROOT / "model_repository"
BACKBONES = Catalog(REPOSITORY).backbones()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the model repository without weights."""
    copy = tmp_path / "model_repository"
    shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns("*.onnx", "__pycache__"))
    return copy


@pytest.mark.parametrize("backbone", BACKBONES)
def test_repository_matches_templates(backbone: str) -> None:
    steps, ranking = (Catalog(REPOSITORY).ensemble(backbone, role).steps for role in (GENDER, RANK))
    folders = (backbone, f"gender_{backbone}", f"rank_{backbone}")
    texts = {name: (REPOSITORY / name / CONFIG).read_text() for name in folders}
    assert texts == render(backbone, steps[backbone], steps["preprocess"], ranking)


def test_rewriting_keeps_versions(repository: Path) -> None:
    ranking = Catalog(repository).ensemble("densenet", RANK).steps
    for folder, text in render("densenet", 7, 1).items():
        (repository / folder / CONFIG).write_text(text)
    write_configs(repository)
    assert Catalog(repository).ensemble("densenet").steps == {"preprocess": 1, "densenet": 7}
    assert Catalog(repository).ensemble("densenet", RANK).steps == ranking


def test_added_backbone_is_in_catalog(repository: Path) -> None:
    write_configs(repository, add="new")
    catalog = Catalog(repository)
    assert catalog.backbones() == sorted([*BACKBONES, "new"])
    assert catalog.ensemble("new").steps == {"preprocess": 1, "new": 1}
    assert catalog.ensemble("new", RANK).steps == {"preprocess": 1, "new": 1, "gallery": 1, "ranker": 1}


def test_rewriting_is_refused_during_rollout(repository: Path) -> None:
    shutil.copytree(repository / "gender_densenet", repository / "gender_densenet_canary")
    config = repository / "gender_densenet_canary" / CONFIG
    config.write_text(config.read_text().replace('name: "gender_densenet"', 'name: "gender_densenet_canary"'))
    with pytest.raises(
        CatalogError, match="expected no canary while configurations are rewritten, got gender_densenet_c"
    ):
        write_configs(repository)


@pytest.mark.parametrize("name", ["mobilenet", "gallery", "preprocess"])
def test_existing_model_is_not_replaced(name: str, repository: Path) -> None:
    before = (repository / name / CONFIG).read_text()
    with pytest.raises(CatalogError, match=f"has a model {name} already"):
        write_configs(repository, add=name)
    assert (repository / name / CONFIG).read_text() == before
