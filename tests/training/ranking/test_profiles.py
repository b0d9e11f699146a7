"""Profiles are what the gender models say about users, in random order."""

import sys
from pathlib import Path

import numpy as np
import pytest

from conversion.parity import run_onnx
from genderprep.tensors import EMBEDDING, IMAGE, PRESENT, PROBABILITIES, TOKENS
from server.catalog import Catalog
from tests.support.tritonserver import ROOT
from training.arrays import FloatsND
from training.data.batches import prepare_users
from training.data.manifest import Manifest, read_manifest
from training.ranking import profiles
from training.ranking.profiles import profiles_of
from training.ranking.world import read_profiles
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.preference_sessions import Profiles
from training.synthetic.users import write_users

SERVED = Catalog(ROOT / "model_repository")
MODELS = [SERVED.served_onnx(backbone) for backbone in SERVED.backbones()]
USERS = 7


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_users(USERS, AvatarPool(), builtin_names(), tmp_path_factory.mktemp("users"), seed=1)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "_BATCH", 4)


def rows(found: Profiles) -> FloatsND:
    """P(female) and embedding of each row."""
    return np.column_stack([found.p_female, found.embeddings])


def in_order(table: FloatsND) -> FloatsND:
    return table[np.argsort(table[:, 0])]


def test_each_user_has_a_row_of_each_model(manifest: Path) -> None:
    inputs = prepare_users(read_manifest(manifest)).inputs([IMAGE, TOKENS, PRESENT])
    answers = [run_onnx(str(model), inputs) for model in MODELS]
    expected = np.concatenate([np.column_stack([each[PROBABILITIES][:, 1], each[EMBEDDING]]) for each in answers])
    found = rows(profiles_of(Manifest(manifest), MODELS))
    assert len(found) == len(MODELS) * USERS
    np.testing.assert_allclose(in_order(found), in_order(expected), atol=1e-5)


def test_seed_decides_the_order(manifest: Path) -> None:
    first, again, other = (rows(profiles_of(Manifest(manifest), MODELS, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(in_order(first), in_order(other))


def test_command_writes_what_a_world_reads(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new" / "profiles.npz"
    models = [str(model) for model in MODELS]
    monkeypatch.setattr(sys, "argv", ["profiles", "--data", str(manifest), "--out", str(file), "--models", *models])
    profiles.main()
    np.testing.assert_array_equal(rows(read_profiles(file)), rows(profiles_of(Manifest(manifest), MODELS)))


def test_missing_files_are_named(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent, models = str(tmp_path / "absent"), [str(model) for model in MODELS]
    for data, files in ((absent, models), (str(manifest), [absent])):
        monkeypatch.setattr(sys, "argv", ["profiles", "--data", data, "--out", absent, "--models", *files])
        with pytest.raises(SystemExit, match=r"^profiles: .*absent"):
            profiles.main()
