"""A tower that is restored from the shipped file answers like it; other files and networks are refused."""

from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from conversion import restore
from conversion.errors import ConversionError
from conversion.gradcam import LOGIT
from genderprep import prepare_image
from genderprep.tensors import IMAGE, IMAGE_SIZE, PRESENT
from tests.support.tritonserver import ROOT
from training.arrays import ImagesNSS3
from training.gender.model import AVATAR_ONLY, load_model
from training.report import read_run
from training.synthetic.drawing import draw_portrait, draw_scene


def shipped(backbone: str) -> Path:
    (file,) = (ROOT / "explain_repository" / f"gradcam_{backbone}").glob("*/model.onnx")
    return file


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restored")
    arguments = ["--tower", str(shipped("densenet")), "--backbone", "densenet121", "--out", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["restore", *arguments])
        restore.main()
    return folder


def drawn_avatars(count: int) -> ImagesNSS3:
    images = [draw_portrait(("female", "male")[seed % 2], seed) for seed in range(count)]
    images += [draw_scene(seed) for seed in range(count // 4)]
    pixels = []
    for image in images:
        image.save(buffer := BytesIO(), "PNG")
        pixels.append(prepare_image(buffer.getvalue(), IMAGE_SIZE)[0])
    return np.stack(pixels)


def test_restored_tower_answers_like_the_shipped_one(run: Path) -> None:
    avatars = drawn_avatars(24)
    session = onnxruntime.InferenceSession(shipped("densenet"))
    (stored,) = session.run([LOGIT], {IMAGE: avatars, PRESENT: np.ones((len(avatars), 2), np.bool_)})
    restored = load_model(run / "model.keras").predict({IMAGE: avatars}, verbose=0)[AVATAR_ONLY]
    assert stored.std() > 0.5
    assert np.corrcoef(stored[:, 0], restored[:, 0])[0, 1] > 0.995
    assert np.abs(stored - restored).mean() < 0.1 * stored.std()


def test_report_says_what_was_restored(run: Path) -> None:
    report = read_run(run)
    assert (report["backbone"], report["restored"]) == ("densenet121", str(shipped("densenet")))


def test_limited_rectifiers_are_refused() -> None:
    with pytest.raises(
        ConversionError, match="expected rectifiers without an upper limit, got 6 in image_tower/trunk/"
    ):
        restore.restore(onnx.load(shipped("mobilenet")), "mobilenetv2")


def test_tower_of_another_network_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"expected a tower of densenet121 by conversion\.gradcam, got another"):
        restore.restore(onnx.load(shipped("mobilenet")), "densenet121")


def test_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = str(tmp_path / "model.onnx")
    monkeypatch.setattr(
        "sys.argv", ["restore", "--tower", missing, "--backbone", "densenet121", "--out", str(tmp_path)]
    )
    with pytest.raises(SystemExit, match=r"restore: .*No such file.*model\.onnx"):
        restore.main()
