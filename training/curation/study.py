"""What the loop works on: its sizes, its pictures, and the labels that it has so far."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..arrays import BoolsN, FloatsN, FloatsND, IntsN, IntsNK, LabelsNA
from . import views
from .fit import Schedule
from .multitask import Architecture
from .network import Trunk
from .oracle import Oracle
from .runs import Runs
from .views import Plain, Views

ATTRIBUTE: Final = "unsuitable"


@dataclass(frozen=True)
class Config:
    """Sizes of the loop.

    Args:
        trunk: The network. With upper blocks, training sees the maps of a few views that are computed once.
        second: The second network of the cascade, of another depth.
        steps: Batches of each training.
        learning_rate: Its peak.
        retrieved: Pictures that the few first positives retrieve.
        first_recall: Pictures that the first model recalls; all are labeled.
        recalled: Pictures that later models recall, for a part to be labeled.
        rounds: Rounds with a choice, after the first.
        strategies: Ways to choose that are compared, of `comparisons.STRATEGIES`.
        error_rate: Share of the answers that are wrong.
        epochs: Epochs at O2U's cyclic learning rate.
    """

    trunk: Architecture = field(default_factory=lambda: Trunk(32, 16))
    second: Architecture = field(default_factory=lambda: Trunk(32, 16, blocks=2))
    steps: int = 400
    learning_rate: float = 2e-3
    retrieved: int = 200
    first_recall: int = 300
    recalled: int = 1000
    rounds: int = 2
    strategies: tuple[str, ...] = ("all", "band ∪ predicted loss", "entropy", "random")
    error_rate: float = 0.05
    epochs: int = 10


@dataclass(frozen=True)
class Labels:
    """Labeled pictures: their rows, and the labels 1 or 0, `[N]` each."""

    rows: IntsN
    given: IntsN

    def __len__(self) -> int:
        return len(self.rows)

    def plus(self, rows: IntsN, given: IntsN) -> "Labels":
        """Return these and other labels."""
        return Labels(np.concatenate([self.rows, rows]), np.concatenate([self.given, given]))

    def corrected(self, positions: IntsN, given: IntsN) -> "Labels":
        """Return the labels with those at some positions replaced."""
        labels = self.given.copy()
        labels[positions] = given
        return Labels(self.rows, labels)

    @property
    def column(self) -> IntsNK:
        """Return the labels as the networks read them, int8 `[N, 1]`."""
        return self.given.astype(np.int8)[:, None]


@dataclass(frozen=True)
class Study:
    """One repetition of the loop.

    Args:
        config: The sizes.
        seed: Seed of weights, orders, answers and choices.
        pictures: Those that may be labeled, or maps of their views: first the `started` ones, whose labels are known,
            then the pool.
        attributes: Their true labels, `[N, A]`; only the oracle and the results may look.
        truth: Whether each is unsuitable, `[N]`, likewise.
        vectors: Their embeddings, `[N, D]`.
        started: How many have labels at the start.
        runs: Trains networks.
    """

    config: Config
    seed: int
    pictures: Views = field(repr=False)
    attributes: LabelsNA = field(repr=False)
    truth: BoolsN = field(repr=False)
    vectors: FloatsND = field(repr=False)
    started: int
    runs: Runs

    @property
    def plain(self) -> Plain:
        """Return the pictures, or their maps, without random views."""
        return views.plain(self.pictures)

    @property
    def start(self) -> Labels:
        """Return the labels of the start."""
        rows = np.arange(self.started)
        return Labels(rows, self.truth[rows].astype(int))

    def unlabeled(self, labels: Labels) -> IntsN:
        """Return the rows of the pool that have no label."""
        return np.setdiff1d(np.arange(len(self.pictures)), labels.rows)

    def recall(self, p: FloatsN, labels: Labels, count: int) -> IntsN:
        """Return the rows without label that are most probably unsuitable, most probable first."""
        rows = self.unlabeled(labels)
        order: IntsN = rows[np.argsort(-p[rows], kind="stable")]
        return order[:count]

    def annotators(self) -> Oracle:
        """Return people who label, with errors."""
        return Oracle(self.truth.astype(int), self.config.error_rate, self.seed)

    def experts(self) -> Oracle:
        """Return people who check labels, without errors."""
        return Oracle(self.truth.astype(int))

    def rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, purpose))

    def schedule(self) -> Schedule:
        return Schedule(self.config.steps, learning_rate=self.config.learning_rate, seed=self.seed)

    def of(self, labels: Labels) -> tuple[Views, IntsNK]:
        """Return pictures and labels as the functions of `fit` take them."""
        return self.pictures[labels.rows], labels.column
