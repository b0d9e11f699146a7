"""`picturegallery.binding`: a gallery refuses to load beside the encoder of other vectors."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from picturegallery.binding import check_encoder
from picturegallery.errors import GalleryError

OWN, OTHER = "a" * 64, "0123456789ab" + "b" * 52


def add_encoder(repository: Path, version: int, **metadata: str) -> None:
    tensor = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows"])
    result = helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["rows"])
    graph = helper.make_graph([helper.make_node("Identity", ["X"], ["Y"])], "same", [tensor], [result])
    model = helper.make_model(graph)
    helper.set_model_props(model, metadata)
    folder = repository / "picture_encoder" / str(version)
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")


def wire(repository: Path, ensemble: str, encoder: int, gallery: int) -> None:
    (repository / ensemble).mkdir()
    (repository / ensemble / "config.pbtxt").write_text(
        f'step [ {{ model_name: "picture_encoder"\n model_version: {encoder} }},\n'
        f'# {{ model_name: "picture_encoder" model_version: 9 }}\n'
        f'{{ model_name: "gallery" model_version: {gallery} }} ]'
    )


def test_own_encoder_is_accepted(tmp_path: Path) -> None:
    add_encoder(tmp_path, 1, trained="today", encoder_digest=OWN)
    wire(tmp_path, "similar", encoder=1, gallery=2)
    check_encoder(OWN, tmp_path / "gallery", 2)


def test_other_encoder_is_refused_by_name(tmp_path: Path) -> None:
    add_encoder(tmp_path, 1, encoder_digest=OTHER)
    wire(tmp_path, "similar", encoder=1, gallery=2)
    message = "picture_encoder/1/model.onnx has the encoder 0123456789ab, the vectors of gallery 2 are of aaaaaaaaaaaa"
    with pytest.raises(GalleryError, match=message):
        check_encoder(OWN, tmp_path / "gallery", 2)


def test_only_wired_versions_count(tmp_path: Path) -> None:
    add_encoder(tmp_path, 1, encoder_digest=OTHER)
    add_encoder(tmp_path, 2, encoder_digest=OWN)
    add_encoder(tmp_path, 3)
    wire(tmp_path, "similar", encoder=1, gallery=1)
    wire(tmp_path, "similar_canary", encoder=2, gallery=2)
    wire(tmp_path, "rank", encoder=3, gallery=2)
    check_encoder(OWN, tmp_path / "gallery", 2)
