"""The repository under test and the ensembles that it serves."""

from pathlib import Path
from typing import Final

from server.catalog import Catalog
from server.launch.process import ROOT

REPOSITORY: Final = ROOT / "model_repository"


def gender_ensembles(repository: Path = REPOSITORY) -> dict[str, str]:
    """Return the names of the gender ensembles by their backbones."""
    catalog = Catalog(repository)
    return {backbone: catalog.ensemble(backbone).name for backbone in catalog.backbones()}
