"""After rebinding, everything that ensembles serve belongs to this checkout's preprocessing."""

import json
from hashlib import sha256
from pathlib import Path

import onnx
import pytest

from conversion.export import read_metadata
from conversion.gradcam import EXPLAINS
from conversion.rebind import rebind
from genderprep import PrepMismatch, prep_digest
from genderprep.binding import check_binding
from server.catalog import Catalog
from server.checksums import check_files, record_all
from tests.support.server.gender_models import edit
from tests.support.server.picture_models import add_encoder, digest, write_repository

OLD = "0" * 64


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose weights, gallery and configuration state another digest; encoder 2 is not served."""
    folder = write_repository(tmp_path / "model_repository")
    for version in (1, 2):
        add_encoder(folder, version, prep_digest=OLD)
    edit(folder / "preprocess" / "config.pbtxt", prep_digest(), OLD)
    about = {"encoder_digest": digest(1), "prep_digest": OLD, "first_seed": 7}
    (folder / "gallery" / "1" / "gallery.json").write_text(json.dumps(about, indent=1))
    record_all(folder)
    return folder


def check(repository: Path) -> None:
    preprocess = Catalog(repository).model("preprocess")
    parameters = {key: {"string_value": preprocess.parameter(key)} for key in preprocess.config.parameters}
    check_binding(parameters, preprocess.folder, 1)


def test_all_that_is_served_is_rebound(repository: Path) -> None:
    with pytest.raises(PrepMismatch):
        check(repository)
    rebind(repository)
    check(repository)
    encoders = [read_metadata(repository / "picture_encoder" / each / "model.onnx") for each in ("1", "2")]
    assert [each["prep_digest"] for each in encoders] == [prep_digest(), OLD]
    assert encoders[0]["encoder_digest"] == digest(1)
    assert json.loads((repository / "gallery" / "1" / "gallery.json").read_text()) == {
        "encoder_digest": digest(1),
        "prep_digest": prep_digest(),
        "first_seed": 7,
    }
    check_files(repository)


def test_explanations_follow_what_they_explain(repository: Path, tmp_path: Path) -> None:
    source = repository / "picture_encoder" / "1" / "model.onnx"
    explanations = tmp_path / "explain_repository"
    for name, explained in (("served", sha256(source.read_bytes()).hexdigest()), ("other", OLD)):
        file = explanations / f"gradcam_{name}" / "1" / "model.onnx"
        file.parent.mkdir(parents=True)
        model = onnx.load(source)
        onnx.helper.set_model_props(model, {EXPLAINS: explained, "prep_digest": OLD})
        onnx.save(model, file)
    record_all(explanations)
    rebind(repository, explanations)
    stated = {
        name: read_metadata(explanations / f"gradcam_{name}" / "1" / "model.onnx") for name in ("served", "other")
    }
    assert stated["served"] == {EXPLAINS: sha256(source.read_bytes()).hexdigest(), "prep_digest": prep_digest()}
    assert stated["other"] == {EXPLAINS: OLD, "prep_digest": OLD}
    check_files(explanations)
