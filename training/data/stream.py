"""Rows of a manifest in an order, in batches, prepared by several threads at once; memory does not grow with rows."""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd

from genderprep.tensors import IMAGE

from ..gender.config import LIGHT, Augmentation
from .batches import Heads, Preparation, Teacher, Users, augmented
from .manifest import Manifest, ManifestError

# What is shuffled as a whole, whichever is reached first.
BLOCK_ROWS: Final = 2**16
BLOCK_BYTES: Final = 2**27
# Users that one thread prepares at a time where there are no batches.
CHUNK: Final = 256

Batch = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]
T = TypeVar("T")


class Stream:
    """Shuffled, augmented batches of the train split, pass after pass; a pass drops the rest that fills no batch.

    Order and dice depend on seed, pass and batch only, not on the threads: batch n is the same, wherever one
    starts. A row that cannot be prepared stays in its batch, without input and weight.
    """

    def __init__(
        self,
        manifest: Manifest,
        inputs: Collection[str],
        heads: Heads,
        batch: int,
        seed: int,
        size: int,
        teacher: Teacher | None = None,
        augment: Augmentation = LIGHT,
    ) -> None:
        """`heads` names the model's outputs and the modality each sees (`None` = both); a teacher adds heads.

        Raises:
            ManifestError: the manifest cannot be used, or has no rows to train on.
        """
        manifest.need("train")
        self.manifest, self.inputs, self.heads, self.seed, self.teacher = manifest, inputs, heads, seed, teacher
        self.batch = min(batch, manifest.survey.rows["train"])
        self.steps = manifest.survey.rows["train"] // self.batch
        self.augment = augment
        self.error: Exception | None = None
        self._prepare = Preparation(manifest.bad, size if IMAGE in inputs else None, remember=True)

    def batches(self, first: int, number: int) -> Iterator[Batch]:
        """`number` batches from `first` on, counted over all passes; one pass has `steps`.

        What goes wrong is kept as `error` and raised: on its way through Keras it would lose its type.
        """
        try:
            for users, inputs in ahead(islice(self._jobs(first), number)):
                yield inputs, *users.targets(self.heads, self.teacher(inputs) if self.teacher else {})
        except Exception as exc:
            self.error = exc
            raise

    def _jobs(self, first: int) -> Iterator[Callable[[], tuple[Users, dict[str, Any]]]]:
        start, skipped = divmod(first, self.steps)
        for number in count(start):
            order = np.random.default_rng((self.seed, number))
            tables = shuffled(self.manifest, "train", order, _columns(self.inputs))
            for index, table in enumerate(rebatched(tables, self.batch)):
                if number > start or index >= skipped:
                    yield partial(self._make, table, (self.seed, number, index))

    def _make(self, table: pd.DataFrame, key: tuple[int, int, int]) -> tuple[Users, dict[str, Any]]:
        users, _ = self._prepare(table)
        return users, augmented(users, self.inputs, self.augment, np.random.default_rng(key))


def prepared(tables: Iterable[pd.DataFrame], prepare: Preparation) -> Iterator[tuple[pd.DataFrame, Users]]:
    """Rows and users, some hundreds at a time, in order; rows that cannot be prepared are left out."""

    def job(table: pd.DataFrame) -> tuple[pd.DataFrame, Users]:
        users, usable = prepare(table)
        return table.loc[usable], users.rows(usable)

    parts = (table.iloc[start : start + CHUNK] for table in tables for start in range(0, len(table), CHUNK))
    return ahead(partial(job, part) for part in parts)


def sample(
    manifest: Manifest, split: str, rows: int, inputs: Collection[str], size: int, seed: int
) -> tuple[pd.DataFrame, Users]:
    """At most `rows` users of a split, chosen by `seed`, with what the `inputs` need, and their rows.

    Raises:
        ManifestError: the manifest cannot be used, or has no usable rows in the split.
    """
    columns = {*manifest.columns} - ({"avatar"} - {*_columns(inputs)})
    some = first_rows(shuffled(manifest, split, np.random.default_rng(seed), columns), rows)
    found = list(prepared(some, Preparation(manifest.bad, size if IMAGE in inputs else None)))
    if not any(len(users) for _, users in found):
        raise ManifestError(f"{manifest.file}: no rows in the split {split!r}")
    return pd.concat([table for table, _ in found]), Users.joined([users for _, users in found])


def shuffled(
    manifest: Manifest, split: str, dice: np.random.Generator, columns: Collection[str]
) -> Iterator[pd.DataFrame]:
    """The rows of a split in blocks that are permuted; the order of row groups and files is permuted, too."""
    block: list[pd.DataFrame] = []
    rows = size = 0
    for table in manifest.tables(split, columns, dice):
        block.append(table)
        rows, size = rows + len(table), size + _bytes(table)
        if rows >= BLOCK_ROWS or size >= BLOCK_BYTES:
            yield _permuted(block, dice)
            rows = size = 0
    if block:
        yield _permuted(block, dice)


def rebatched(tables: Iterable[pd.DataFrame], rows: int) -> Iterator[pd.DataFrame]:
    """The same rows in tables of exactly `rows`, less a rest at the end."""
    rest = pd.DataFrame()
    for table in tables:
        table = pd.concat([rest, table]) if len(rest) else table
        whole = len(table) // rows * rows
        yield from (table.iloc[start : start + rows] for start in range(0, whole, rows))
        rest = table.iloc[whole:]


def first_rows(tables: Iterable[pd.DataFrame], rows: int) -> Iterator[pd.DataFrame]:
    """Tables until there are `rows`."""
    for table in tables:
        yield table.iloc[:rows]
        rows -= len(table)
        if rows <= 0:
            return


def ahead(jobs: Iterable[Callable[[], T]]) -> Iterator[T]:
    """What the jobs return, in their order, done by one thread a core; only so many wait to be asked for."""
    workers = len(os.sched_getaffinity(0))
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, "prepare") as pool:
        for job in jobs:
            waiting.append(pool.submit(job))
            if len(waiting) > workers + 2:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _permuted(block: list[pd.DataFrame], dice: np.random.Generator) -> pd.DataFrame:
    """The rows of a block, which is emptied: nobody keeps them twice."""
    table = pd.concat(block)
    block.clear()
    return table.iloc[dice.permutation(len(table))]


def _columns(inputs: Collection[str]) -> tuple[str, ...]:
    return ("nickname", "avatar") if IMAGE in inputs else ("nickname",)


def _bytes(table: pd.DataFrame) -> int:
    return int(table.memory_usage(index=False).sum())
