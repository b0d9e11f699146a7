"""Stream shuffled batches from a manifest. Threads prepare them ahead; memory does not grow with the rows."""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from typing import Final, TypeVar

import numpy as np
import pandas as pd
from numpy.random import Generator

from genderprep.tensors import IMAGE

from ..arrays import Arrays
from .augmentation import LIGHT, Augmentation, augment
from .batches import Heads, Predict, Preparation, Users
from .manifest import Manifest, ManifestError

# A shuffle block ends at the first of these limits.
BLOCK_ROWS: Final = 2**16
BLOCK_BYTES: Final = 2**27
# Users that one thread prepares at a time outside training.
CHUNK: Final = 256

# Inputs by name, targets by head, sample weights by head.
Batch = tuple[Arrays, Arrays, Arrays]
T = TypeVar("T")


class BatchStream:
    """Shuffled, augmented batches of the train split. Each pass drops its last incomplete batch.

    Seed, pass and batch number determine the order and the augmentation; the number of threads does not. Batch n is
    therefore the same, whichever batch the stream starts from. A row that cannot be prepared keeps its place in its
    batch, without inputs and with weight 0.
    """

    def __init__(
        self,
        manifest: Manifest,
        inputs: Collection[str],
        heads: Heads,
        batch: int,
        seed: int,
        size: int,
        teacher: Predict | None = None,
        augmentation: Augmentation = LIGHT,
    ) -> None:
        """Stream `manifest` to a model with these `inputs` and `heads`.

        Args:
            batch: B, capped at the rows in the train split.
            size: S, the side of the images in pixels.
            teacher: Adds targets for the heads that it supervises.

        Raises:
            ManifestError: The manifest cannot be used, or has no train rows.
        """
        manifest.require_splits("train")
        self.manifest, self.inputs, self.heads, self.seed, self.teacher = manifest, inputs, heads, seed, teacher
        self.batch = min(batch, manifest.stats.rows["train"])
        self.steps = manifest.stats.rows["train"] // self.batch
        self.augmentation = augmentation
        self.error: Exception | None = None
        self._prepare = Preparation(manifest.bad_rows, size if IMAGE in inputs else None, cache=True)

    def batches(self, first: int, number: int) -> Iterator[Batch]:
        """Yield `number` batches from batch `first`, counted over all passes of `steps` batches.

        An exception is also kept as `error`, because Keras replaces its type on the way to the caller.
        """
        try:
            for users, inputs in run_ahead(islice(self._jobs(first), number)):
                yield inputs, *users.targets(self.heads, self.teacher(inputs) if self.teacher else {})
        except Exception as exc:
            self.error = exc
            raise

    def _jobs(self, first: int) -> Iterator[Callable[[], tuple[Users, Arrays]]]:
        first_pass, skipped = divmod(first, self.steps)
        for number in count(first_pass):
            rng = np.random.default_rng((self.seed, number))
            blocks = shuffled_blocks(self.manifest, "train", _columns(self.inputs), rng)
            for index, table in enumerate(rebatch(blocks, self.batch)):
                if number > first_pass or index >= skipped:
                    yield partial(self._prepare_batch, table, (self.seed, number, index))

    def _prepare_batch(self, table: pd.DataFrame, seed: tuple[int, int, int]) -> tuple[Users, Arrays]:
        users, _ = self._prepare(table)
        return users, augment(users, self.inputs, self.augmentation, np.random.default_rng(seed))


def prepare_chunks(tables: Iterable[pd.DataFrame], prepare: Preparation) -> Iterator[tuple[pd.DataFrame, Users]]:
    """Yield rows and their users in order, `CHUNK` at a time, without the rows that fail."""

    def job(table: pd.DataFrame) -> tuple[pd.DataFrame, Users]:
        users, usable = prepare(table)
        return table.loc[usable], users.rows(usable)

    parts = (table.iloc[start : start + CHUNK] for table in tables for start in range(0, len(table), CHUNK))
    return run_ahead(partial(job, part) for part in parts)


def sample(
    manifest: Manifest, split: str, rows: int, inputs: Collection[str], size: int, seed: int
) -> tuple[pd.DataFrame, Users]:
    """Return at most `rows` random rows of a split and their users, with images of S = `size` pixels.

    Avatars are read only if `inputs` contains `IMAGE`.

    Raises:
        ManifestError: The manifest cannot be used, or has no usable rows in the split.
    """
    columns = {*manifest.columns} - ({"avatar"} - {*_columns(inputs)})
    blocks = take_rows(shuffled_blocks(manifest, split, columns, np.random.default_rng(seed)), rows)
    chunks = list(prepare_chunks(blocks, Preparation(manifest.bad_rows, size if IMAGE in inputs else None)))
    if not any(len(users) for _, users in chunks):
        raise ManifestError(f"{manifest.file}: no rows in the split {split!r}")
    tables, users = zip(*chunks, strict=True)
    return pd.concat(tables), Users.concatenate(users)


def shuffled_blocks(manifest: Manifest, split: str, columns: Collection[str], rng: Generator) -> Iterator[pd.DataFrame]:
    """Yield the rows of a split in shuffled blocks. The order of row groups and files is shuffled, too."""
    block: list[pd.DataFrame] = []
    rows = size = 0
    for table in manifest.tables(split, columns, rng):
        block.append(table)
        rows, size = rows + len(table), size + int(table.memory_usage(index=False).sum())
        if rows >= BLOCK_ROWS or size >= BLOCK_BYTES:
            yield _shuffle(block, rng)
            rows = size = 0
    if block:
        yield _shuffle(block, rng)


def rebatch(tables: Iterable[pd.DataFrame], rows: int) -> Iterator[pd.DataFrame]:
    """Regroup tables into tables of exactly `rows`; drop an incomplete last one."""
    rest = pd.DataFrame()
    for table in tables:
        table = pd.concat([rest, table]) if len(rest) else table
        whole = len(table) // rows * rows
        yield from (table.iloc[start : start + rows] for start in range(0, whole, rows))
        rest = table.iloc[whole:]


def take_rows(tables: Iterable[pd.DataFrame], rows: int) -> Iterator[pd.DataFrame]:
    """Yield tables until they hold `rows`."""
    for table in tables:
        yield table.iloc[:rows]
        rows -= len(table)
        if rows <= 0:
            return


def run_ahead(jobs: Iterable[Callable[[], T]], workers: int | None = None) -> Iterator[T]:
    """Yield the results of jobs in order. Threads, by default one per core, work ahead, with a bounded queue."""
    workers = workers or len(os.sched_getaffinity(0))
    queue: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, "prepare") as pool:
        for job in jobs:
            queue.append(pool.submit(job))
            if len(queue) > workers + 2:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()


def _shuffle(block: list[pd.DataFrame], rng: Generator) -> pd.DataFrame:
    """Concatenate and shuffle a block. Clears the list, so that the rows are in memory once."""
    table = pd.concat(block)
    block.clear()
    return table.iloc[rng.permutation(len(table))]


def _columns(inputs: Collection[str]) -> tuple[str, ...]:
    return ("nickname", "avatar") if IMAGE in inputs else ("nickname",)
