r"""Store what the served gender models say about composed users, for preference worlds.

    python -m training.synthetic.synthesize --count 1000 --out runs/users
    python -m training.ranking.profiles --data runs/users/manifest.csv --out runs/profiles.npz \
        --models model_repository/mobilenet/*/model.onnx model_repository/densenet/*/model.onnx

Writes `p_female` [U] and `embeddings` [U, 256]: a row for each user and model, in random order. One ranker serves both
backbones, so it sees the embeddings of both in training.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from genderprep.tensors import EMBEDDING, PROBABILITIES

from ..arrays import FloatsN, FloatsND
from ..data.batches import Preparation, Users
from ..data.manifest import Manifest, ManifestError
from ..data.stream import prepare_chunks
from ..synthetic.preference_sessions import Profiles

# Users that a model sees at a time.
_BATCH: Final = 32


def profiles_of(manifest: Manifest, models: list[Path], seed: int = 0) -> Profiles:
    """Return the outputs of gender models, ONNX files, for all users of a manifest."""
    sessions = [onnxruntime.InferenceSession(model) for model in models]
    parts = [
        _outputs(session, batch)
        for _, users in prepare_chunks(manifest.tables(), Preparation(manifest.bad_rows))
        for batch in _batches(users)
        for session in sessions
    ]
    p_female, embeddings = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.random.default_rng(seed).permutation(len(p_female))
    return Profiles(p_female[order], embeddings[order])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest of users")
    parser.add_argument("--models", type=Path, required=True, nargs="+", help="ONNX files of gender models")
    parser.add_argument("--out", type=Path, required=True, help="npz file")
    args = parser.parse_args()
    try:
        for model in args.models:
            if not model.is_file():
                raise FileNotFoundError(f"no model {model}")
        profiles = profiles_of(Manifest(args.data), args.models)
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"profiles: {exc}") from exc
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out, p_female=profiles.p_female, embeddings=profiles.embeddings)
    print(args.out)


def _batches(users: Users) -> Iterator[Users]:
    for start in range(0, len(users), _BATCH):
        yield users.rows(np.arange(start, min(start + _BATCH, len(users))))


def _outputs(session: onnxruntime.InferenceSession, users: Users) -> tuple[FloatsN, FloatsND]:
    inputs = users.inputs([each.name for each in session.get_inputs()])
    probabilities, embeddings = session.run([PROBABILITIES, EMBEDDING], inputs)
    return probabilities[:, 1].astype(np.float64), embeddings


if __name__ == "__main__":
    main()
