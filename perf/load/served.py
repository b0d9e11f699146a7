"""The repository under test and the ensembles that it serves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from server.catalog import Catalog
from server.launch.process import ROOT, Server, running_triton

REPOSITORY: Final = ROOT / "model_repository"


def gender_ensembles(repository: Path = REPOSITORY) -> dict[str, str]:
    """Return the names of the gender ensembles by their backbones."""
    catalog = Catalog(repository)
    return {backbone: catalog.ensemble(backbone).name for backbone in catalog.backbones()}


@contextmanager
def running_gender_models(repository: Path = REPOSITORY, *flags: str, **options: Any) -> Iterator[Server]:
    """Like `running_triton`, but load only the gender ensembles and their models, so that the others cost nothing."""
    load = (f"--load-model={name}" for name in gender_ensembles(repository).values())
    with running_triton(repository, "--model-control-mode=explicit", *load, *flags, **options) as server:
        yield server
