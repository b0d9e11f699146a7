"""Compare a new ranker with the served one on the held-out sessions of its run."""

from typing import Any, Final

import numpy as np

from genderprep.tensors import EMBEDDING, PROBABILITIES
from picturegallery.history import HISTORY_SIZE
from picturegallery.prerank import CANDIDATE_SIZE
from picturegallery.ranking_inputs import (
    CANDIDATE_IDS,
    CANDIDATE_MASK,
    CANDIDATE_PRIORS,
    CANDIDATE_VECTORS,
    EXPLORE,
    HISTORY_MASK,
    HISTORY_VECTORS,
    NOISE,
)
from training.arrays import Arrays, FloatsND, FloatsNK, IntsNK
from training.evaluation.ranking import summary
from training.ranking.examples import Examples

from .parity import run_onnx
from .ranking_head import LIST_SIZE, PICTURES, SCORES

# How much worse than the served ranker a new one may be: GAUC, and log loss in nats.
MAX_GAUC_LOSS: Final = 0.005
MAX_LOG_LOSS_GAIN: Final = 0.01


def compare_rankers(served: str, new: bytes, examples: Examples, table: FloatsND) -> dict[str, Any]:
    """Return the metrics of both rankers on the same sessions, and in what the new one is worse than allowed.

    Args:
        served: The ONNX file of the served ranker.
        new: The new ranker, serialized.
        examples: Sessions; of longer lists than `LIST_SIZE`, only the first pictures count.
        table: The vectors of their pictures, padding first, [P + 1, D].
    """
    candidates, liked = examples.candidates[:, :LIST_SIZE], examples.liked[:, :LIST_SIZE]
    inputs = _inputs(examples, candidates, table)
    before, after = (
        summary(liked == 1, _p_like(run_onnx(model, inputs), candidates.shape[1]), candidates > 0, examples.users)
        for model in (served, new)
    )
    losses = {
        "gauc": (before["gauc"] - after["gauc"], MAX_GAUC_LOSS),
        "log_loss": (after["log_loss"] - before["log_loss"], MAX_LOG_LOSS_GAIN),
    }
    regressions = [
        f"{name} {after[name]:.4f} against {before[name]:.4f} (tolerance {allowed})"
        for name, (loss, allowed) in losses.items()
        if not loss <= allowed
    ]
    return {"served": before, "new": after, "regressions": regressions}


def _inputs(examples: Examples, candidates: IntsNK, table: FloatsND) -> Arrays:
    """Return the inputs of a served ranker; the id of a candidate is its place in the list."""
    count, places = candidates.shape
    history = _padded(examples.history, HISTORY_SIZE)
    shown = _padded(candidates, CANDIDATE_SIZE)
    return {
        EMBEDDING: examples.embeddings,
        PROBABILITIES: examples.probabilities,
        HISTORY_VECTORS: table[history],
        HISTORY_MASK: history > 0,
        CANDIDATE_IDS: np.tile(np.arange(CANDIDATE_SIZE), (count, 1)),
        CANDIDATE_VECTORS: table[shown],
        CANDIDATE_MASK: shown > 0,
        CANDIDATE_PRIORS: _padded(examples.priors[:, :places], CANDIDATE_SIZE),
        NOISE: np.zeros(shown.shape, np.float32),
        EXPLORE: np.zeros((count, 1), np.bool_),
    }


def _padded(rows: Any, size: int) -> Any:
    return np.pad(rows, ((0, 0), (0, size - rows.shape[1])))


def _p_like(lists: Arrays, places: int) -> FloatsNK:
    """Return the scores of a ranker's lists by the place of each picture among the candidates."""
    p_like = np.zeros((len(lists[PICTURES]), places))
    rows, columns = np.nonzero(lists[PICTURES] >= 0)
    p_like[rows, lists[PICTURES][rows, columns]] = lists[SCORES][rows, columns]
    return p_like
