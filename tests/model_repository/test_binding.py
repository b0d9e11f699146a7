"""`genderprep.binding`: preprocessing refuses to load beside weights of another one."""

import re
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from genderprep import PrepMismatch, binding, prep_digest
from genderprep.binding import check_binding
from genderprep.digest import METADATA_KEY

OTHER = "0123456789ab" + "0" * 52


def parameters(digest: str) -> dict[str, dict[str, str]]:
    return {METADATA_KEY: {"string_value": digest}}


def add_model(repository: Path, file: str, *, doc: str = "", **metadata: str) -> None:
    """A model that gives its input back, with metadata."""
    tensor = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows"])
    result = helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["rows"])
    graph = helper.make_graph([helper.make_node("Identity", ["X"], ["Y"])], "same", [tensor], [result], doc_string=doc)
    model = helper.make_model(graph)
    helper.set_model_props(model, metadata)
    (repository / file).parent.mkdir(parents=True)
    onnx.save(model, repository / file)


def test_weights_of_this_preprocessing(tmp_path: Path) -> None:
    add_model(tmp_path, "densenet/1/model.onnx", backbone="densenet121", prep_digest=prep_digest(), trained="today")
    add_model(tmp_path, "mobilenet/3/model.onnx", prep_digest=prep_digest())
    check_binding(parameters(prep_digest()), tmp_path)


def test_models_that_say_nothing_are_no_matter(tmp_path: Path) -> None:
    add_model(tmp_path, "pets/1/model.onnx", author="somebody else")
    add_model(tmp_path, "plants/1/model.onnx")
    check_binding(parameters(prep_digest()), tmp_path)


def test_config_of_another_preprocessing(tmp_path: Path) -> None:
    with pytest.raises(PrepMismatch, match=r"^preprocess/config\.pbtxt belongs to preprocessing 0123456789ab, this is"):
        check_binding(parameters(OTHER), tmp_path)


@pytest.mark.parametrize("position", ["first", "last"])
def test_weights_of_another_preprocessing(tmp_path: Path, position: str) -> None:
    add_model(tmp_path, "mobilenet/1/model.onnx", prep_digest=prep_digest())
    metadata = {"first": {"prep_digest": OTHER, "z": "1"}, "last": {"a": "1", "prep_digest": OTHER}}[position]
    add_model(tmp_path, "densenet/2/model.onnx", **metadata)
    message = f"densenet/2/model.onnx belongs to preprocessing {OTHER[:12]}, this is {prep_digest()[:12]}; export"
    with pytest.raises(PrepMismatch, match="^" + re.escape(message)):
        check_binding(parameters(prep_digest()), tmp_path)


def test_an_older_version_is_checked_too(tmp_path: Path) -> None:
    add_model(tmp_path, "densenet/1/model.onnx", prep_digest=OTHER)
    add_model(tmp_path, "densenet/2/model.onnx", prep_digest=prep_digest())
    with pytest.raises(PrepMismatch, match=r"^densenet/1/model\.onnx"):
        check_binding(parameters(prep_digest()), tmp_path)


def test_text_inside_the_graph_is_not_metadata(tmp_path: Path) -> None:
    entry = f"\n{chr(len(METADATA_KEY))}{METADATA_KEY}\x12@{OTHER}"
    add_model(tmp_path, "densenet/1/model.onnx", doc=entry, prep_digest=prep_digest())
    check_binding(parameters(prep_digest()), tmp_path)


def test_probes_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def differ() -> None:
        raise PrepMismatch("probe portrait.jpg")

    monkeypatch.setattr(binding, "check_probes", differ)
    with pytest.raises(PrepMismatch, match="probe portrait"):
        check_binding(parameters(prep_digest()), tmp_path)
