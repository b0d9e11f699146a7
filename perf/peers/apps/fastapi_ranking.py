"""FastAPI: the ranking of `rank_embedding` in one process, on the event loop, one request after the other.

The model folder is a repository with a gallery and a ranker, as `perf.experiments.ranking` writes one.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray
from pydantic import BaseModel

from perf.load.predictor import MODEL, open_network
from picturegallery import prerank
from picturegallery.files import read_gallery
from picturegallery.ranking_inputs import RankingReader

app = FastAPI()
repository = Path(os.environ[MODEL])
gallery = read_gallery(repository / "gallery" / "1")
vectors = gallery.vectors.astype(np.float32)
reader = RankingReader(gallery, vectors, prerank.PreRank.load(repository / "gallery" / "1" / prerank.FILE, 32))
network = open_network(str(repository / "ranker" / "1" / "model.onnx"))


class User(BaseModel):
    """The inputs of `rank_embedding`."""

    embedding: list[float]
    probabilities: list[float]
    history: list[int] = []
    candidates: list[int] = []
    seed: int = -1


@app.post("/rank")
async def rank(user: User) -> dict[str, Any]:
    lists = {"HISTORY": user.history, "CANDIDATES": user.candidates, "SEED": [user.seed]}
    probabilities = np.array([user.probabilities], np.float32)
    ids: dict[str, NDArray[Any]] = {name: np.array([values], np.int64) for name, values in lists.items()}
    tensors = reader.answer({"PROBABILITIES": probabilities, **ids}, Counter())
    embedding = np.array([user.embedding], np.float32)
    outputs = network.run(None, {**tensors, "PROBABILITIES": probabilities, "EMBEDDING": embedding})
    return {output.name.lower(): rows[0].tolist() for output, rows in zip(network.get_outputs(), outputs, strict=True)}
