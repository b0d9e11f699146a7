"""A version is compared with the served one, and may not be worse."""

from pathlib import Path

import pytest

from conversion.errors import ConversionError
from conversion.verdict import served_file, verdict
from server.catalog import SCREEN, Catalog, CatalogError

ENSEMBLE = """name: "screen"
parameters {{ key: "role" value {{ string_value: "screen" }} }}
parameters {{ key: "backbone" value {{ string_value: "screener" }} }}
ensemble_scheduling {{ step [ {{ model_name: "screener" model_version: {version} }} ] }}
"""


def repository(folder: Path, wired: int | None, *versions: int) -> Catalog:
    """Write a screener with versions, and the ensemble that serves one."""
    texts = {"screener": 'name: "screener"\n'} | ({} if wired is None else {"screen": ENSEMBLE.format(version=wired)})
    for name, text in texts.items():
        (folder / name).mkdir()
        (folder / name / "config.pbtxt").write_text(text)
    for version in versions:
        (folder / "screener" / str(version)).mkdir()
        (folder / "screener" / str(version) / "model.onnx").touch()
    return Catalog(folder)


@pytest.mark.parametrize(("wired", "served"), [(1, 1), (2, 2), (-1, 2)])
def test_new_version_is_compared_with_the_served_one(tmp_path: Path, wired: int, served: int) -> None:
    catalog = repository(tmp_path, wired, 1, 2)
    assert served_file(catalog, "screener", SCREEN) == tmp_path / "screener" / str(served) / "model.onnx"


@pytest.mark.parametrize("wired", [1, -1, None])
def test_first_version_is_compared_with_none(tmp_path: Path, wired: int | None) -> None:
    assert served_file(repository(tmp_path, wired), "screener", SCREEN) is None


def test_served_version_must_be_on_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"screener/3/model\.onnx is served but not on disk"):
        served_file(repository(tmp_path, 3, 1, 2), "screener", SCREEN)


def test_unknown_model_has_no_served_version(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="got 'other'"):
        served_file(repository(tmp_path, 1, 1), "other", SCREEN)
    with pytest.raises(CatalogError, match="got 'other'"):
        Catalog(tmp_path).served_onnx("other", SCREEN)


def test_verdicts() -> None:
    worse = {"version": 2, "regressions": ["accuracy 0.570 against 0.820", "auc 0.5 against 0.9"]}
    assert verdict(None, False, "9 users") == "first version"
    assert verdict({**worse, "regressions": []}, True, "9 users") == "passed"
    assert verdict(worse, True, "9 users") == "forced"
    message = (
        r"^expected a version no worse than the served version 2 on the same 9 users, got accuracy 0\.570 against "
        r"0\.820; auc 0\.5 against 0\.9; improve the model, or pass --force$"
    )
    with pytest.raises(ConversionError, match=message):
        verdict(worse, False, "9 users")
