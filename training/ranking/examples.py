"""Impressions as arrays for training, and their batches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..arrays import Arrays, BoolsN, FloatsND, FloatsNK, IntsN, IntsNK
from ..losses.masked_cross_entropy import PADDING
from .config import MAX_HISTORY, Config
from .model import EMBEDDING_SIZE, FIRST_ID, PADDING_ID, UNKNOWN_ID

# Widths to which histories are padded: each new one costs a new graph.
_WIDTHS: Final = (16, MAX_HISTORY)
_DAY: Final = pd.Timedelta(days=1)
# Batches whose sessions are sorted by length of history, to save padding.
_SORTED_BATCHES: Final = 16


@dataclass(frozen=True)
class Examples:
    """N sessions. Pictures are rows of a table [P + 1, D]; row 0 is padding.

    Args:
        users: Number of the user of each session, [N].
        days: Number of the UTC day of each session, [N].
        history: Newest first, padding last, [N, MAX_HISTORY].
        candidates: By position, [N, K].
        liked: 1, 0 or `PADDING`, [N, K].
        priors: P(like) of each candidate from the likes and shows of earlier days, [N, K].
        probabilities: Of male and female, [N, 2].
        embeddings: EMBEDDING, zeros if unknown, [N, 256].
    """

    users: IntsN
    days: IntsN
    history: IntsNK
    candidates: IntsNK
    liked: FloatsNK
    priors: FloatsNK
    probabilities: FloatsND
    embeddings: FloatsND

    def __len__(self) -> int:
        return len(self.days)

    def rows(self, rows: IntsN | BoolsN) -> "Examples":
        return replace(self, **{name: values[rows] for name, values in vars(self).items()})

    def seen(self, pictures: int) -> BoolsN:
        """Return whether each of the P pictures is a candidate in any session, [P + 1]; padding is not."""
        seen = np.zeros(pictures + 1, bool)
        seen[self.candidates] = True
        seen[0] = False
        return seen

    def inputs(self, known: BoolsN) -> Arrays:
        """Return the inputs of `Ranker.training_model`, by name; ids outside `known` [P + 1] are the unknown id."""
        longest = int((self.history > 0).sum(axis=1).max())
        history = self.history[:, : next(width for width in _WIDTHS if width >= longest)]
        return {
            "history": history,
            "candidates": self.candidates,
            "history_ids": _ids(history, known),
            "candidate_ids": _ids(self.candidates, known),
            "priors": self.priors,
            "probabilities": self.probabilities,
            "embedding": self.embeddings,
        }


def examples_of(impressions: pd.DataFrame, pictures: IntsN) -> Examples:
    """Convert impressions, in the form of `training.ranking.impressions`, to arrays.

    Args:
        impressions: One row per shown list.
        pictures: The ids of the table's rows 1 to P. Other candidates are padding, and other pictures of a history do
            not take the places of known ones, as in serving.
    """
    rows = pd.Series(np.arange(1, len(pictures) + 1), index=pictures)
    days = ((impressions["time"] - pd.Timestamp(0, tz="UTC")) // _DAY).to_numpy()
    shown = _padded(impressions["pictures"], None, -1)
    candidates = _rows_of(shown, rows)
    liked = np.where(candidates > 0, _padded(impressions["liked"], shown.shape[1], 0), PADDING).astype(np.float32)
    embeddings = np.zeros((len(impressions), EMBEDDING_SIZE), np.float32)
    if "embedding" in impressions:
        known = impressions["embedding"].notna().to_numpy()
        embeddings[known] = np.stack(impressions["embedding"][known].to_list())
    return Examples(
        pd.factorize(impressions["user"])[0],
        days,
        _histories(impressions["history"], rows),
        candidates,
        liked,
        _priors(days, candidates, liked, len(pictures)),
        np.stack(impressions["probabilities"].to_list()).astype(np.float32),
        embeddings,
    )


def batches(examples: Examples, config: Config, known: BoolsN) -> Iterator[tuple[Arrays, FloatsNK]]:
    """Yield the batches of all epochs.

    Seed and epoch determine order and dropout. Sessions of a batch have histories of similar length. The last
    incomplete batch of each epoch is dropped.
    """
    lengths = (examples.history > 0).sum(axis=1)
    for epoch in range(config.epochs):
        rng = np.random.default_rng((config.seed, epoch))
        order = rng.permutation(len(examples))
        size = config.batch * _SORTED_BATCHES
        chunks = [order[start : start + size] for start in range(0, len(order), size)]
        ordered = np.concatenate([chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in chunks])
        for number in rng.permutation(len(ordered) // config.batch):
            chosen = examples.rows(ordered[number * config.batch : (number + 1) * config.batch])
            yield _dropped(chosen.inputs(known), config, rng), chosen.liked


def _dropped(inputs: Arrays, config: Config, rng: np.random.Generator) -> Arrays:
    """Replace some ids by the unknown id, and some embeddings by zeros."""
    for name in ("history_ids", "candidate_ids"):
        ids = inputs[name]
        dropped = (rng.random(ids.shape) < config.id_dropout) & (ids != PADDING_ID)
        inputs[name] = np.where(dropped, UNKNOWN_ID, ids)
    embedding = inputs["embedding"]
    inputs["embedding"] = embedding * (rng.random((len(embedding), 1)) >= config.embedding_dropout)
    return inputs


def _ids(rows: IntsNK, known: BoolsN) -> IntsNK:
    ids = np.where(known[rows], rows - 1 + FIRST_ID, UNKNOWN_ID)
    return np.where(rows > 0, ids, PADDING_ID).astype(np.int32)


def _histories(lists: pd.Series, rows: "pd.Series[int]") -> IntsNK:
    liked = _rows_of(_padded(lists, max([MAX_HISTORY, *map(len, lists)]), -1), rows)
    known_first = np.argsort(liked == 0, axis=1, kind="stable")[:, :MAX_HISTORY]
    return np.take_along_axis(liked, known_first, axis=1)


def _padded(lists: pd.Series, width: int | None, fill: int) -> NDArray[np.int64]:
    """Stack lists, cut at `width` (by default that of the longest) and padded with `fill`."""
    lengths = lists.map(len).to_numpy()
    stacked = np.full((len(lists), width or max(1, int(lengths.max(initial=0)))), fill, np.int64)
    for row, values in enumerate(lists):
        kept = values[: stacked.shape[1]]
        stacked[row, : len(kept)] = kept
    return stacked


def _rows_of(ids: NDArray[np.int64], rows: "pd.Series[int]") -> IntsNK:
    return rows.reindex(ids.ravel(), fill_value=0).to_numpy().reshape(ids.shape).astype(np.int32)


def _priors(days: IntsN, candidates: IntsNK, liked: FloatsNK, pictures: int) -> FloatsNK:
    """Return the mean of Beta(likes + 1, shows − likes + 1) with the likes and shows before each session's day."""
    priors = np.empty(candidates.shape, np.float32)
    likes, shows = np.zeros(pictures + 1), np.zeros(pictures + 1)
    for day in np.unique(days):
        of_day = np.flatnonzero(days == day)
        shown = candidates[of_day]
        priors[of_day] = ((likes + 1) / (shows + 2))[shown]
        likes += np.bincount(shown.ravel(), (liked[of_day] == 1).ravel(), pictures + 1)
        shows += np.bincount(shown.ravel(), minlength=pictures + 1)
    return priors
