"""A third backbone needs its weights and two generated folders; nothing else of the product changes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversion.configs import write_configs
from genderclient import Client
from server.catalog import Catalog
from server.checksums import record
from tests.support.pictures import encode, noise
from tests.support.server.gender_models import p_female, publish
from tests.support.tritonserver import ROOT, Server, running_triton

BACKBONE = "tiny"
VERSION = 1


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the model repository with a backbone of a few kilobytes."""
    copy = tmp_path_factory.mktemp("third") / "model_repository"
    shutil.copytree(ROOT / "model_repository", copy, ignore=shutil.ignore_patterns("__pycache__"))
    write_configs(copy, add=BACKBONE)
    publish(copy, VERSION, backbone=BACKBONE)
    file = copy / BACKBONE / str(VERSION) / "model.onnx"
    record(file, file, copy)
    return copy


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[Server]:
    with running_triton(repository) as server:
        yield server


def test_catalog_serves_new_backbone(repository: Path) -> None:
    catalog = Catalog(repository)
    assert set(catalog.backbones()) == {*Catalog(ROOT / "model_repository").backbones(), BACKBONE}
    assert catalog.served_onnx(BACKBONE) == repository / BACKBONE / str(VERSION) / "model.onnx"


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_new_backbone_answers(server: Server, scheme: str) -> None:
    url = server.grpc_url if scheme == "grpc" else server.http_url
    with Client(f"{scheme}://{url}", model=f"gender_{BACKBONE}") as client:
        prediction = client.predict(avatar=encode(noise(132), "JPEG"), nickname="小美")
    assert prediction.probabilities.female == pytest.approx(p_female(VERSION))


def test_other_backbones_still_answer(server: Server) -> None:
    with Client(f"grpc://{server.grpc_url}", model="gender_mobilenet") as client:
        assert client.predict(nickname="小美").probabilities.female > 0.5
