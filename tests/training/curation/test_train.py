import json
from pathlib import Path

import keras
import numpy as np
import pytest

from genderprep import prep_digest
from training.curation import train as module
from training.curation.fit import Schedule
from training.curation.network import Trunk, build_trunk
from training.curation.pictures import read_labeled_pictures
from training.curation.train import run
from training.data.bad_rows import ManifestError
from training.synthetic.defects import ATTRIBUTES, compose
from training.synthetic.draw_defects import write_pictures


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [compose(seed, "train", p_unsuitable=0.3) for seed in range(24)]
    return write_pictures(pictures, tmp_path_factory.mktemp("defects"))


def test_run_has_both_networks_and_a_report(manifest: Path, tmp_path: Path) -> None:
    run([manifest, manifest], tmp_path, Schedule(2, batch=8), (Trunk(width=4), Trunk(width=8)), hard=4)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["attributes"], report["pictures"], report["schedule"]["steps"]) == (list(ATTRIBUTES), 48, 2)
    assert report["prep_digest"] == prep_digest()
    pixels = read_labeled_pictures(manifest).pixels
    for name, heads in (("first", len(ATTRIBUTES)), ("second", 1)):
        logits = keras.saving.load_model(tmp_path / f"{name}.keras").predict(pixels, verbose=0)
        assert logits.shape == (24, heads)
        assert np.isfinite(logits).all()


def test_both_networks_start_from_weights(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Path] = []

    def small_trunk(weights: Path) -> keras.Model:
        started.append(weights)
        return build_trunk(Trunk(width=4))

    monkeypatch.setattr(module, "pretrained_trunk", small_trunk)
    monkeypatch.setattr(module, "mine", lambda *_: 0.5)
    run([manifest], tmp_path, Schedule(1), weights := tmp_path / "mobilenet.npz")
    assert started == [weights, weights]
    assert json.loads((tmp_path / "report.json").read_text())["weights"] == "mobilenet.npz"


def test_manifest_without_train_pictures_is_rejected(manifest: Path, tmp_path: Path) -> None:
    other = manifest.with_name("test.csv")
    other.write_text(manifest.read_text().replace(",train,", ",test,"))
    with pytest.raises(ManifestError, match="expected pictures of the split train, got none"):
        run([other], tmp_path, Schedule(1), (Trunk(width=4), Trunk(width=4)))
