"""`genderprep.binding`: preprocessing refuses to load where weights of another one are wired to it."""

import re
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from genderprep import PrepMismatch, binding, prep_digest
from genderprep.binding import check_binding
from genderprep.digest import METADATA_KEY

OTHER = "0123456789ab" + "0" * 52


def add_model(repository: Path, file: str, *, doc: str = "", **metadata: str) -> None:
    """A model that gives its input back, with metadata."""
    tensor = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows"])
    result = helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["rows"])
    graph = helper.make_graph([helper.make_node("Identity", ["X"], ["Y"])], "same", [tensor], [result], doc_string=doc)
    model = helper.make_model(graph)
    helper.set_model_props(model, metadata)
    (repository / file).parent.mkdir(parents=True)
    onnx.save(model, repository / file)


def wire(repository: Path, preprocess: str, **versions: str) -> None:
    """Ensembles of preprocess and a model each."""
    for model, version in versions.items():
        folder = repository / f"gender_{model}"
        folder.mkdir(parents=True)
        (folder / "config.pbtxt").write_text(
            f'step [ {{ model_name: "preprocess" {preprocess} input_map {{ key: "A" value: "A" }} }},\n'
            f'# {{ model_name: "preprocess" model_version: 9 }}\n'
            f'{{ model_name: "{model}"\n model_version: {version} }} ]'
        )


def check(repository: Path, version: int = 1, digest: str | None = None) -> None:
    parameters = {f"{METADATA_KEY}_{version}": {"string_value": digest or prep_digest()}}
    check_binding(parameters, repository / "preprocess", version)


def test_matching_weights_load(tmp_path: Path) -> None:
    add_model(tmp_path, "densenet/1/model.onnx", backbone="densenet121", prep_digest=prep_digest(), trained="today")
    add_model(tmp_path, "mobilenet/3/model.onnx", prep_digest=prep_digest())
    wire(tmp_path, "model_version: 1", densenet="1", mobilenet="3")
    check(tmp_path)


def test_models_without_digest_are_ignored(tmp_path: Path) -> None:
    add_model(tmp_path, "pets/1/model.onnx", author="somebody else")
    add_model(tmp_path, "plants/1/model.onnx")
    wire(tmp_path, "model_version: 1", pets="1", plants="1")
    check(tmp_path)


def test_config_with_other_digest_is_refused(tmp_path: Path) -> None:
    message = r"^prep_digest_1 of preprocess/config\.pbtxt belongs to preprocessing 0123456789ab, preprocess 1 is"
    with pytest.raises(PrepMismatch, match=message):
        check(tmp_path, digest=OTHER)


def test_config_without_digest_is_refused(tmp_path: Path) -> None:
    parameters = {f"{METADATA_KEY}_1": {"string_value": prep_digest()}}
    with pytest.raises(
        PrepMismatch, match=r"^prep_digest_2 of preprocess/config\.pbtxt belongs to preprocessing unknown"
    ):
        check_binding(parameters, tmp_path / "preprocess", 2)


@pytest.mark.parametrize("position", ["first", "last"])
def test_weights_with_other_digest_are_refused(tmp_path: Path, position: str) -> None:
    add_model(tmp_path, "mobilenet/1/model.onnx", prep_digest=prep_digest())
    metadata = {"first": {"prep_digest": OTHER, "z": "1"}, "last": {"a": "1", "prep_digest": OTHER}}[position]
    add_model(tmp_path, "densenet/2/model.onnx", **metadata)
    wire(tmp_path, "model_version: 1", densenet="2", mobilenet="1")
    message = (
        f"densenet/2/model.onnx belongs to preprocessing {OTHER[:12]}, preprocess 1 is {prep_digest()[:12]}; export"
    )
    with pytest.raises(PrepMismatch, match="^" + re.escape(message)):
        check(tmp_path)


@pytest.mark.parametrize("wired", ["2", "-1"])
def test_unwired_weights_are_not_checked(tmp_path: Path, wired: str) -> None:
    add_model(tmp_path, "densenet/1/model.onnx", prep_digest=OTHER)
    add_model(tmp_path, "densenet/2/model.onnx", prep_digest=prep_digest())
    add_model(tmp_path, "mobilenet/1/model.onnx", prep_digest=OTHER)
    wire(tmp_path, "model_version: 1", densenet=wired)
    wire(tmp_path, "model_version: 2", mobilenet="1")
    check(tmp_path)
    with pytest.raises(PrepMismatch, match=r"^mobilenet/1/model\.onnx .* preprocess 2 is"):
        check(tmp_path, version=2)


@pytest.mark.parametrize("preprocess", ["model_version: -1", ""])
def test_latest_version_is_resolved_on_disk(tmp_path: Path, preprocess: str) -> None:
    for version in ("1", "2"):
        (tmp_path / "preprocess" / version).mkdir(parents=True)
    add_model(tmp_path, "densenet/1/model.onnx", prep_digest=OTHER)
    wire(tmp_path, preprocess, densenet="1")
    check(tmp_path)
    with pytest.raises(PrepMismatch, match=r"^densenet/1/model\.onnx"):
        check(tmp_path, version=2)


def test_graph_text_is_not_metadata(tmp_path: Path) -> None:
    entry = f"\n{chr(len(METADATA_KEY))}{METADATA_KEY}\x12@{OTHER}"
    add_model(tmp_path, "densenet/1/model.onnx", doc=entry, prep_digest=prep_digest())
    wire(tmp_path, "model_version: 1", densenet="1")
    check(tmp_path)


def test_probes_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def differ() -> None:
        raise PrepMismatch("probe portrait.jpg")

    monkeypatch.setattr(binding, "check_probes", differ)
    with pytest.raises(PrepMismatch, match="probe portrait"):
        check(tmp_path)
