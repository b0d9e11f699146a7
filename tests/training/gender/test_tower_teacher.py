"""A published tower teaches by its logits of a picture and of its mirror image; other files are refused by name."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from genderprep.tensors import IMAGE, IMAGE_SIZE, PRESENT
from server.catalog import Catalog
from training.gender.config import ConfigError
from training.gender.tower_teacher import LOGIT, TowerTeacher, teacher_name

ROOT = Path(__file__).parents[3]
(TOWER,) = (ROOT / "explain_repository" / "gradcam_densenet").glob("*/model.onnx")


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (33, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)


def test_published_tower_teaches_the_mean_of_a_picture_and_its_mirror_image(images: NDArray[np.uint8]) -> None:
    session = onnxruntime.InferenceSession(TOWER)

    def logit(image: NDArray[np.uint8]) -> float:
        return float(session.run([LOGIT], {IMAGE: image[None], PRESENT: np.ones((1, 2), np.bool_)})[0].item())

    taught = TowerTeacher(TOWER, IMAGE_SIZE)(images)
    assert taught.shape == (33, 1)
    expected = [expit((logit(image) + logit(image[:, ::-1])) / 2) for image in images[-3:]]
    np.testing.assert_allclose(taught[-3:, 0], expected, atol=1e-5)


def test_mirror_images_are_taught_the_same(images: NDArray[np.uint8]) -> None:
    teacher = TowerTeacher(TOWER, IMAGE_SIZE)
    np.testing.assert_allclose(teacher(images[:4, :, ::-1]), teacher(images[:4]), atol=1e-6)


def test_teacher_is_named_in_the_report() -> None:
    assert teacher_name(TOWER) == f"gradcam_densenet/{TOWER.parent.name}/model.onnx"


def test_tower_of_another_size_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected a tower for 32 pixels, got 128"):
        TowerTeacher(TOWER, 32)


def test_other_models_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected the inputs IMAGE and PRESENT and the output LOGIT"):
        TowerTeacher(Catalog(ROOT / "model_repository").served_onnx("mobilenet"), IMAGE_SIZE)


def test_missing_tower_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no teacher .*model\.onnx; expected a run or an ONNX file"):
        TowerTeacher(tmp_path / "model.onnx", IMAGE_SIZE)


def test_damaged_tower_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ConfigError, match=r"model\.onnx is no ONNX file"):
        TowerTeacher(tmp_path / "model.onnx", IMAGE_SIZE)
