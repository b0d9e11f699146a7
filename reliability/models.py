"""The models under test."""

from server.catalog import Catalog
from server.launch.process import ROOT


def gender_models() -> dict[str, str]:
    """Return the stable gender ensembles of this clone's model repository by backbone."""
    catalog = Catalog(ROOT / "model_repository")
    return {backbone: catalog.ensemble(backbone).name for backbone in catalog.backbones()}


def served_models() -> list[str]:
    """Return the models that the stable gender ensembles are made of."""
    catalog = Catalog(ROOT / "model_repository")
    return sorted({model for backbone in catalog.backbones() for model in catalog.ensemble(backbone).steps})
