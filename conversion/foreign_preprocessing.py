"""Prepare users as another model repository does, with the preprocessing that its weights are wired to."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from genderprep.tensors import IMAGE, PRESENT, TOKENS
from server.catalog import Catalog
from training.arrays import Arrays


def preprocessing_of(catalog: Catalog, backbone: str) -> ModuleType:
    """Import the `genderprep` of a backbone's stable ensemble, beside the one of this checkout.

    Raises:
        CatalogError: The repository has no such ensemble.
        FileNotFoundError: The version of `preprocess` is not on disk.
    """
    version = catalog.ensemble(backbone).steps["preprocess"]
    package = catalog.model("preprocess").folder.resolve() / str(version) / "genderprep"
    name = "genderprep_" + "".join(char if char.isalnum() else "_" for char in str(package))
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, package / "__init__.py", submodule_search_locations=[str(package)]
        )
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def prepare(table: pd.DataFrame, genderprep: ModuleType) -> Arrays:
    """Return the inputs of a model for the columns `avatar` (bytes, or the path of a file) and `nickname`."""
    images, has_avatar = zip(*(genderprep.prepare_image(_read(avatar)) for avatar in table["avatar"]), strict=True)
    tokens, has_nickname = zip(*(genderprep.prepare_text(name.encode()) for name in table["nickname"]), strict=True)
    present = np.stack([has_avatar, has_nickname], axis=1)
    return {IMAGE: np.stack(images), TOKENS: np.stack(tokens), PRESENT: present}


def _read(avatar: str | bytes) -> bytes:
    return Path(avatar).read_bytes() if avatar and isinstance(avatar, str) else avatar or b""
