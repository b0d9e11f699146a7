"""The commands on ensembles of the roles similar and rank: models go together by the digest of their encoder."""

import json
import shutil
from pathlib import Path

import onnx
import pytest

from conversion.export import read_metadata, stamp
from server.catalog import Catalog
from server.launch.process import ROOT
from tests.server.rollout.conftest import Rollout
from tests.support.server.gender_models import UNKNOWN_DIGEST, edit, served, tree

BACKBONE = f"mobilenet {Catalog(ROOT / 'model_repository').served_version('mobilenet')}"
RANKED = f"preprocess 1, {BACKBONE}, gallery {{gallery}}, ranker {{ranker}}"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the product's repository."""
    copy = tmp_path / "model_repository"
    shutil.copytree(ROOT / "model_repository", copy, ignore=shutil.ignore_patterns("SHA256SUMS", "__pycache__"))
    return copy


def add_version(repository: Path, model: str, encoder: str | None = None) -> int:
    """Publish a version of the gallery or of an ONNX model: a copy of the latest, of another encoder perhaps."""
    latest = Catalog(repository).model(model).versions[-1]
    folder = shutil.copytree(repository / model / str(latest), repository / model / str(latest + 1))
    if encoder and model == "gallery":
        about = folder / "gallery.json"
        about.write_text(json.dumps(json.loads(about.read_text()) | {"encoder_digest": encoder}))
    elif encoder:
        file = folder / "model.onnx"
        copy = onnx.load(file)
        stamp(copy, {"encoder_digest": encoder})
        onnx.save(copy, file)
    return latest + 1


def ranked(gallery: int, ranker: int) -> str:
    return RANKED.format(gallery=gallery, ranker=ranker)


def test_canary_of_a_ranker_takes_the_newest_gallery_of_its_encoder(rollout: Rollout, repository: Path) -> None:
    for model in ("gallery", "ranker"):
        add_version(repository, model)
    assert f"rank_mobilenet_canary: {ranked(2, 2)}\n" in rollout("canary", "rank_mobilenet", "2")
    assert (served(repository, "ranker"), served(repository, "gallery")) == ([1, 2], [1, 2])
    assert f"rank_mobilenet: {ranked(2, 2)}\n" in rollout("promote", "rank_mobilenet")
    assert f"rank_mobilenet: {ranked(1, 1)}\n" in rollout("rollback", "rank_mobilenet")
    rollout("end", "rank_mobilenet")
    assert (served(repository, "ranker"), served(repository, "gallery")) == ([1], [1])


def test_new_gallery_is_ranked_by_the_served_ranker(rollout: Rollout, repository: Path) -> None:
    add_version(repository, "gallery")
    rollout("canary", "rank_embedding", "1")
    assert "rank_embedding: gallery 2, ranker 1\n" in rollout("promote", "rank_embedding")


def test_ranker_and_gallery_of_another_encoder_go_together(rollout: Rollout, repository: Path) -> None:
    add_version(repository, "ranker", UNKNOWN_DIGEST)
    before = tree(repository)
    served_encoder = read_metadata(repository / "ranker" / "1" / "model.onnx")["encoder_digest"][:12]
    message = rf"ranker 2 has the encoder 0123456789ab, but \S+/gallery has 1: {served_encoder}; publish gallery with"
    with pytest.raises(SystemExit, match=message):
        rollout("canary", "rank_mobilenet", "2")
    assert tree(repository) == before
    add_version(repository, "gallery", UNKNOWN_DIGEST)
    assert f"rank_mobilenet_canary: {ranked(2, 2)}\n" in rollout("canary", "rank_mobilenet", "2")
    # The served ranker still needs the gallery of its own encoder.
    assert f"rank_mobilenet_canary: {ranked(1, 1)}\n" in rollout("canary", "rank_mobilenet", "1")


def test_promote_rejects_models_of_two_encoders(rollout: Rollout, repository: Path) -> None:
    add_version(repository, "ranker")
    rollout("canary", "rank_embedding", "2")
    add_version(repository, "gallery", UNKNOWN_DIGEST)
    edit(
        repository / "rank_embedding_canary" / "config.pbtxt",
        'model_name: "gallery"\n      model_version: 1',
        'model_name: "gallery"\n      model_version: 2',
    )
    with pytest.raises(SystemExit, match="expected models of one encoder, got gallery 2: 0123456789ab, ranker 2: "):
        rollout("promote", "rank_embedding")


def test_canary_of_a_gallery_takes_the_encoder_of_its_vectors(rollout: Rollout, repository: Path) -> None:
    for model in ("gallery", "picture_encoder"):
        add_version(repository, model, UNKNOWN_DIGEST)
    lines = rollout("canary", "similar", "2").splitlines()
    assert "similar_canary: preprocess 1, picture_encoder 2, gallery 2" in lines
    assert "similar: preprocess 1, picture_encoder 1, gallery 1" in lines


def test_new_screener_is_tried_beside_the_served_one(rollout: Rollout, repository: Path) -> None:
    new = add_version(repository, "screener")
    assert f"screen_canary: preprocess 1, screener {new}\n" in rollout("canary", "screen", str(new))
    assert f"screen: preprocess 1, screener {new}\n" in rollout("promote", "screen")


def test_missing_gallery_is_named(rollout: Rollout, repository: Path) -> None:
    with pytest.raises(SystemExit, match=r"gallery/9/gallery\.json does not exist; versions on disk: 1"):
        rollout("canary", "similar", "9")
