"""A small random ranker, exported and published."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from scipy.special import expit

from conversion import publish_ranker as command
from conversion.errors import ConversionError
from conversion.export import read_metadata
from conversion.parity import run_onnx
from conversion.publish_ranker import publish_ranker, sample_inputs
from conversion.ranker_gate import MAX_GAUC_LOSS, compare_rankers
from conversion.ranker_graph import LOGITS, ranker_to_onnx
from genderprep import PrepMismatch, prep_digest
from picturegallery.errors import GalleryError
from picturegallery.files import read_gallery
from tests.conversion.test_oldest_runtime import PYTHON, run_on_oldest
from tests.support.tritonserver import ROOT
from training.arrays import Arrays
from training.ranking.config import Config
from training.ranking.examples import Examples
from training.ranking.held_out import read_held_out, write_held_out
from training.ranking.model import Ranker
from training.report import write_report

SHIPPED = ROOT / "model_repository"
ENCODER = read_gallery(SHIPPED / "gallery" / "1").encoder_digest


@pytest.fixture(scope="module")
def served() -> keras.Model:
    """A ranker with random weights; also its slopes, biases and null vectors, which start as constants."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    model = Ranker(Config(tastes=6, compressor=(16, 12), hidden=(16, 8)), 32).served_model()
    model.set_weights([rng.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def rows() -> Arrays:
    vectors = np.random.default_rng(2).normal(0, 32**-0.5, (100, 32)).astype(np.float32)
    return sample_inputs(vectors, users=12)


@pytest.fixture(scope="module")
def trained(served: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    served.save(folder / "ranker.keras")
    write_report(folder / "report.json", encoder_digest=ENCODER, prep_digest=prep_digest())
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, which a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The product's gallery, and a ranker without versions."""
    folder = tmp_path / "model_repository"
    shutil.copytree(SHIPPED / "gallery", folder / "gallery", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "ranker").mkdir()
    shutil.copy(SHIPPED / "ranker" / "config.pbtxt", folder / "ranker")
    return folder


def test_logits_are_those_of_keras(served: keras.Model, rows: Arrays) -> None:
    expected = served.predict({name: rows[name.upper()] for name in served.input}, verbose=0)
    outputs = run_onnx(ranker_to_onnx(served, logits=True).SerializeToString(), rows)
    shown = rows["CANDIDATE_MASK"]
    assert not rows["HISTORY_MASK"].any(axis=1).all()
    np.testing.assert_allclose(outputs[LOGITS][shown], expected[shown], rtol=1e-4, atol=1e-4)
    for row, pictures in enumerate(outputs["PICTURES"]):
        best = np.argsort(-expected[row, shown[row]])[:20]
        assert set(pictures[pictures >= 0]) == set(rows["CANDIDATE_IDS"][row][best])
        np.testing.assert_allclose(outputs["SCORES"][row, : len(best)], expit(expected[row, best]), atol=1e-4)


def test_rows_do_not_depend_on_their_batch(served: keras.Model, rows: Arrays) -> None:
    model = ranker_to_onnx(served).SerializeToString()
    together, alone = run_onnx(model, rows), run_onnx(model, rows, batch=1)
    for name, array in together.items():
        np.testing.assert_allclose(alone[name], array, atol=1e-5)


@pytest.mark.skipif(not PYTHON.is_file(), reason="the oldest runtime is not installed: make .venv/oldest_runtime.stamp")
def test_oldest_runtime_answers_alike(served: keras.Model, rows: Arrays, tmp_path: Path) -> None:
    onnx.save(ranker_to_onnx(served), tmp_path / "model.onnx")
    expected = run_onnx(str(tmp_path / "model.onnx"), rows)
    for name, array in run_on_oldest(tmp_path / "model.onnx", rows, tmp_path).items():
        np.testing.assert_allclose(array, expected[name], atol=1e-5)


def test_ranker_with_another_pooling_is_rejected() -> None:
    model = Ranker(Config(tastes=6, compressor=(8, 4), hidden=(8,), pooling="attentive"), 32).served_model()
    with pytest.raises(ConversionError, match="expected a ranker with multi-query pooling"):
        ranker_to_onnx(model)


def test_publish_writes_digests(run: Path, repository: Path) -> None:
    folder = publish_ranker(run, repository, temperature=0.5)
    assert folder == repository / "ranker" / "1"
    metadata = read_metadata(folder / "model.onnx")
    assert {name: metadata[name] for name in ("prep_digest", "encoder_digest", "temperature")} == {
        "prep_digest": prep_digest(),
        "encoder_digest": ENCODER,
        "temperature": "0.5",
    }
    assert "ranker/1/model.onnx" in (repository / "SHA256SUMS").read_text()
    assert (repository.parent / "results" / "publish_ranker.json").is_file()


@pytest.fixture
def serving(repository: Path) -> Path:
    """The product's gallery and ranker, and an ensemble that serves them."""
    for name in ("ranker", "rank_embedding"):
        shutil.copytree(SHIPPED / name, repository / name, dirs_exist_ok=True)
    return repository


def write_sessions(run: Path) -> None:
    """Write sessions whose users like the pictures that are near those they liked."""
    rng, sessions = np.random.default_rng(3), 300
    vectors = read_gallery(SHIPPED / "gallery" / "1").vectors.astype(np.float32)
    table = np.concatenate([np.zeros((1, vectors.shape[1]), np.float32), vectors])
    history, candidates = (rng.integers(1, len(table), (sessions, size)).astype(np.int32) for size in (1, 25))
    near = np.einsum("ntd,nkd->nk", table[history], table[candidates])
    examples = Examples(
        users=np.arange(sessions),
        days=np.zeros(sessions, np.int64),
        history=np.pad(history, ((0, 0), (0, 49))),
        candidates=candidates,
        liked=(near > np.median(near)).astype(np.float32),
        priors=np.full(candidates.shape, 0.5, np.float32),
        probabilities=np.full((sessions, 2), 0.5, np.float32),
        embeddings=np.zeros((sessions, 256), np.float32),
    )
    write_held_out(run, examples, table)


def test_ranker_that_is_worse_than_the_served_one_is_rejected(run: Path, serving: Path) -> None:
    write_sessions(run)
    with pytest.raises(
        ConversionError, match=r"no worse than the served version 1 on the same sessions, got gauc .* against .*--force"
    ):
        publish_ranker(run, serving)
    folder = publish_ranker(run, serving, force=True)
    assert read_metadata(folder / "model.onnx")["publish_gate"] == "forced"
    report = json.loads((serving.parent / "results" / "publish_ranker.json").read_text())
    assert report["gate"] == "forced"
    assert report["comparison"]["served"]["gauc"] > report["comparison"]["new"]["gauc"] + MAX_GAUC_LOSS


def test_gate_is_passed_by_the_served_ranker_itself(run: Path) -> None:
    write_sessions(run)
    file = SHIPPED / "ranker" / "1" / "model.onnx"
    compared = compare_rankers(str(file), file.read_bytes(), *read_held_out(run))
    assert not compared["regressions"]


def test_run_without_held_out_sessions_is_rejected(run: Path, serving: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"held_out\.npz does not exist: train the ranker again"):
        publish_ranker(run, serving)


def test_encoder_of_no_gallery_is_rejected(run: Path, repository: Path) -> None:
    write_report(run / "report.json", encoder_digest="0123456789ab" + "0" * 52, prep_digest=prep_digest())
    message = rf"the encoder 0123456789ab, but \S+/gallery has 1: {ENCODER[:12]}; publish a gallery of that encoder"
    with pytest.raises(GalleryError, match=message):
        publish_ranker(run, repository)
    assert not (repository / "ranker" / "1").exists()


def test_another_preprocessing_is_rejected(run: Path, repository: Path) -> None:
    write_report(run / "report.json", encoder_digest=ENCODER, prep_digest="0123456789ab")
    with pytest.raises(PrepMismatch, match=rf"preprocessing {prep_digest()[:12]}, got 0123456789ab; train it again"):
        publish_ranker(run, repository)


@pytest.mark.parametrize("temperature", [0.0, -0.25, float("nan"), float("inf")])
def test_temperature_is_positive(temperature: float, run: Path, repository: Path) -> None:
    with pytest.raises(ConversionError, match=r"expected a positive temperature, such as 0\.25"):
        publish_ranker(run, repository, temperature=temperature)


def test_first_ranker_of_a_repository_is_published(run: Path, serving: Path) -> None:
    shutil.rmtree(serving / "ranker" / "1")
    assert publish_ranker(run, serving).name == "1"


def test_command_fails_with_one_line(run: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run / "ranker.keras").unlink()
    monkeypatch.setattr(sys, "argv", ["publish_ranker", "--run", str(run), "--repository", str(repository)])
    with pytest.raises(
        SystemExit, match=r"^publish_ranker: .*ranker\.keras does not exist: a ranker with id embeddings"
    ):
        command.main()


SMALL = Config(tastes=6, compressor=(8, 4), hidden=(8,))


def test_ranker_without_tastes_is_rejected() -> None:
    with pytest.raises(ConversionError, match="none named taste_mixture"):
        ranker_to_onnx(Ranker(replace(SMALL, tastes=0), 32).served_model())


def test_ranker_without_a_served_feature_is_rejected() -> None:
    with pytest.raises(ConversionError, match="expected a ranker with products and gender"):
        ranker_to_onnx(Ranker(replace(SMALL, products=False), 32).served_model())
