"""The verdict of publishing: a version may not be worse than the one that is served."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.catalog import FORCED, GENDER, Catalog

from .errors import ConversionError


def served_file(catalog: Catalog, model: str, role: str = GENDER) -> Path | None:
    """Return the ONNX file with which a new version of a model is compared; None before the first version.

    Args:
        catalog: The repository that serves the model.
        model: The backbone of an ensemble.
        role: The role of the ensemble.

    Raises:
        CatalogError: The repository has no such model.
        FileNotFoundError: Other versions are on disk, but the served one is not.
    """
    if not catalog.model(model).versions or model not in catalog.backbones(role):
        return None
    return on_disk(catalog.served_onnx(model, role))


def on_disk(served: Path) -> Path:
    """Return the file of a served version, or raise FileNotFoundError if it does not exist."""
    if not served.is_file():
        raise FileNotFoundError(f"{served} is served but not on disk; restore it, or roll back to a version on disk")
    return served


def verdict(comparison: Mapping[str, Any] | None, force: bool, judged: str) -> str:
    """Return `first version`, `passed`, or `forced` if the version is worse and published nevertheless.

    Args:
        comparison: The served `version`, and the `regressions` of the new one; None before the first version.
        force: Whether a worse version is published.
        judged: What both versions were compared on, such as `200 users`.

    Raises:
        ConversionError: The version is worse.
    """
    if comparison is None:
        return "first version"
    if not comparison["regressions"]:
        return "passed"
    if force:
        return FORCED
    raise ConversionError(
        f"expected a version no worse than the served version {comparison['version']} on the same {judged}, got "
        f"{'; '.join(comparison['regressions'])}; improve the model, or pass --force"
    )
