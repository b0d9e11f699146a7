"""What the catalog reads from small repositories that each test writes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from server.catalog import Catalog, CatalogError

Write = Callable[..., Path]


def ensemble(*steps: tuple[str, int], role: str = "gender", backbone: str = "net") -> str:
    """The configuration of an ensemble whose steps are models with versions."""
    parameters = {"role": role, "backbone": backbone}
    lines = [f'parameters {{ key: "{key}" value {{ string_value: "{text}" }} }}' for key, text in parameters.items()]
    listed = " ".join(f'step {{ model_name: "{model}" model_version: {version} }}' for model, version in steps)
    return "\n".join(['platform: "ensemble"', *lines, f"ensemble_scheduling {{ {listed} }}"])


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a model with its configuration and these versions; returns its folder."""

    def write_model(name: str, config: str = 'backend: "python"', versions: tuple[int, ...] = ()) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.pbtxt").write_text(config)
        for version in versions:
            (folder / str(version)).mkdir()
            (folder / str(version) / "model.onnx").touch()
        return folder

    return write_model


def test_ensembles_have_role_backbone_and_steps(write: Write, tmp_path: Path) -> None:
    write("net")
    write("gender_net", ensemble(("preprocess", 1), ("net", 2)))
    write("rank_net", ensemble(("ranker", 4), role="rank"))
    write("bare", 'platform: "ensemble" ensemble_scheduling { step { model_name: "net" model_version: 1 } }')
    catalog = Catalog(tmp_path)
    assert [(each.name, each.role, each.backbone) for each in catalog.ensembles()] == [
        ("bare", "", ""),
        ("gender_net", "gender", "net"),
        ("rank_net", "rank", "net"),
    ]
    assert [each.name for each in catalog.ensembles("rank")] == ["rank_net"]
    assert catalog.ensemble("net").steps == {"preprocess": 1, "net": 2}
    assert catalog.ensemble("net", role="rank").name == "rank_net"


def test_backbones_are_those_of_stable_ensembles(write: Write, tmp_path: Path) -> None:
    write("gender_small", ensemble(("small", 1), backbone="small"))
    write("gender_large", ensemble(("large", 1), backbone="large"))
    write("gender_new_canary", ensemble(("new", 1), backbone="new"))
    write("rank_other", ensemble(("other", 1), role="rank", backbone="other"))
    catalog = Catalog(tmp_path)
    assert catalog.backbones() == ["large", "small"]
    assert catalog.backbones("rank") == ["other"]


def test_stable_ensemble_is_not_its_canary(write: Write, tmp_path: Path) -> None:
    net = write("net", versions=(1, 2))
    write("other")
    write("gender_net", ensemble(("net", 1)))
    write("gender_net_canary", ensemble(("net", 2)))
    catalog = Catalog(tmp_path)
    assert [each.name for each in catalog.ensembles() if each.is_canary] == ["gender_net_canary"]
    assert catalog.ensemble("net").name == "gender_net"
    assert [each.name for each in catalog.stable_ensembles()] == ["gender_net"]
    assert catalog.served_version("net") == 1
    assert catalog.step_folder("gender_net_canary", "net") == net / "2"
    with pytest.raises(CatalogError, match="expected a step other in gender_net, which has"):
        catalog.step_folder("gender_net", "other")


@pytest.mark.parametrize(("step", "version"), [(2, 2), (-1, 10)])
def test_served_version_is_that_of_the_step_or_the_latest(
    write: Write, tmp_path: Path, step: int, version: int
) -> None:
    net = write("net", versions=(2, 9, 10))
    (net / "11").mkdir()  # an unfinished publication
    write("gender_net", ensemble(("net", step)))
    catalog = Catalog(tmp_path)
    assert catalog.served_version("net") == version
    assert catalog.served_onnx("net") == net / str(version) / "model.onnx"


def test_versions_are_numbered_folders_with_a_file(write: Write, tmp_path: Path) -> None:
    net = write("net", versions=(10, 9))
    (net / "3").mkdir()
    (net / "draft").mkdir()
    (net / "4").touch()
    assert Catalog(tmp_path).model("net").versions == [9, 10]


def test_model_has_the_name_in_its_configuration_else_that_of_its_folder(write: Write, tmp_path: Path) -> None:
    write("net")
    write("folder", 'name: "other"')
    assert list(Catalog(tmp_path).models()) == ["other", "net"]


def test_folders_without_configuration_and_files_are_no_models(write: Write, tmp_path: Path) -> None:
    write("net")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "SHA256SUMS").touch()
    assert list(Catalog(tmp_path).models()) == ["net"]


def test_models_of_several_repositories(tmp_path: Path) -> None:
    for repository, model in (("one", "a"), ("two", "b")):
        (tmp_path / repository / model).mkdir(parents=True)
        (tmp_path / repository / model / "config.pbtxt").touch()
    assert list(Catalog(tmp_path / "one", tmp_path / "two").models()) == ["a", "b"]
    assert Catalog().models() == {}


def test_parameter_is_empty_if_absent(write: Write, tmp_path: Path) -> None:
    write("net", 'parameters { key: "digest" value { string_value: "abc" } }')
    model = Catalog(tmp_path).model("net")
    assert (model.parameter("digest"), model.parameter("role")) == ("abc", "")


@pytest.mark.parametrize(
    ("method", "name", "message"),
    [
        ("model", "none", "expected one of gender_net, net, got 'none'"),
        ("ensemble", "none", r"expected a backbone with an ensemble of role 'gender' \(net\), got 'none'"),
        ("served_onnx", "net", "net has no version on disk, and gender_net serves the latest; publish a version"),
    ],
)
def test_missing_model_is_an_error(write: Write, tmp_path: Path, method: str, name: str, message: str) -> None:
    write("net")
    write("gender_net", ensemble(("net", -1)))
    with pytest.raises(CatalogError, match=message):
        getattr(Catalog(tmp_path), method)(name)


def test_errors_of_an_empty_repository(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="expected one of no models, got 'net'"):
        Catalog(tmp_path).model("net")
    with pytest.raises(CatalogError, match=r"\(none\), got 'net'"):
        Catalog(tmp_path).ensemble("net")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"names:", "is not a model configuration: 1:1"), (b"\xff", "cannot be read: .*utf-8")],
)
def test_invalid_configuration_is_an_error(write: Write, tmp_path: Path, content: bytes, message: str) -> None:
    (write("net") / "config.pbtxt").write_bytes(content)
    with pytest.raises(CatalogError, match=rf"net/config\.pbtxt {message}"):
        Catalog(tmp_path)


def test_configuration_that_is_a_pipe_is_not_waited_for(write: Write, tmp_path: Path) -> None:
    file = write("net") / "config.pbtxt"
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(CatalogError, match=r"net/config\.pbtxt is not a regular file; replace it"):
        Catalog(tmp_path)
