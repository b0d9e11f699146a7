"""Users for the ensemble `rank_embedding`, as requests to Triton and to a JSON service."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genderprep.tensors import EMBEDDING, EMBEDDING_SIZE, PROBABILITIES
from picturegallery.candidates import CANDIDATES
from picturegallery.exploration import SEED
from picturegallery.history import HISTORY, HISTORY_SIZE

from .http_client_load import Request

MODEL: Final = "rank_embedding"
_DATATYPES: Final = {"f": "FP32", "i": "INT64"}


@dataclass(frozen=True)
class RankedUser:
    """A user with a stored embedding, [256], and probabilities, [2]; `candidates` is empty for the whole gallery."""

    embedding: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    history: NDArray[np.int64]
    candidates: NDArray[np.int64]
    seed: int | None = None

    @property
    def tensors(self) -> dict[str, NDArray[Any]]:
        """The inputs of the ensemble that the user has, with a batch axis of 1."""
        lists = {HISTORY: self.history, CANDIDATES: self.candidates}
        return {
            EMBEDDING: self.embedding[None],
            PROBABILITIES: self.probabilities[None],
            **{name: ids[None] for name, ids in lists.items() if len(ids)},
            **({} if self.seed is None else {SEED: np.array([[self.seed]])}),
        }


def ranked_users(count: int, pictures: int, candidates: int, explore: bool, seed: int) -> list[RankedUser]:
    """Draw users with full histories of the pictures 1 to `pictures`; 0 `candidates` stand for the whole gallery."""
    rng = np.random.default_rng(seed)
    p_female = rng.random(count, np.float32)
    return [
        RankedUser(
            rng.normal(size=EMBEDDING_SIZE).astype(np.float32),
            np.array([1 - p, p], np.float32),
            rng.choice(pictures, HISTORY_SIZE, replace=False) + 1,
            rng.choice(pictures, candidates, replace=False) + 1,
            number if explore else None,
        )
        for number, p in enumerate(p_female)
    ]


def triton_request(user: RankedUser) -> Request:
    """Encode a user for Triton: a JSON header, then the tensors in binary; the lists come back in JSON."""
    tensors = user.tensors
    inputs = [
        {
            "name": name,
            "shape": list(array.shape),
            "datatype": _DATATYPES[array.dtype.kind],
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, array in tensors.items()
    ]
    header = json.dumps({"inputs": inputs}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(header))}
    body = b"".join(array.tobytes() for array in tensors.values())
    return Request(f"/v2/models/{MODEL}/infer", headers, header + body)


def json_request(user: RankedUser) -> Request:
    """Encode a user as one JSON object."""
    content = {name.lower(): array[0].tolist() for name, array in user.tensors.items() if name != SEED}
    content |= {} if user.seed is None else {"seed": user.seed}
    return Request("/rank", {"Content-Type": "application/json"}, json.dumps(content).encode())


def triton_pictures(answer: Any) -> Sequence[int]:
    """The list in Triton's JSON."""
    pictures: list[int] = next(output["data"] for output in answer["outputs"] if output["name"] == "PICTURES")
    return pictures
