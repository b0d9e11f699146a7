"""The world of the ablation, its sessions as arrays, and the exact ceilings of the measured sessions."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ..arrays import BoolsN, FloatsND, FloatsNK
from ..synthetic.preference_ceiling import KNOWLEDGE, p_like
from ..synthetic.preference_log import impressions_of
from ..synthetic.preference_sessions import Sessions
from .ablation_rows import Row
from .examples import Examples, examples_of
from .fit import picture_table
from .world import Setting, exact_vectors, read_profiles, setting_of

# Seed of the world and of its sessions.
WORLD: Final = 1
# Sessions of the last day: a quarter of them calibrates, the others measure.
TEST: Final = 6_000


@dataclass(frozen=True)
class Data:
    """The world of the ablation, its sessions as arrays, and which of them train, calibrate and measure.

    The last day's pictures are new. A quarter of its sessions calibrates, the others measure.
    """

    setting: Setting
    imagenet: FloatsND | None
    sessions: Sessions
    examples: Examples

    @property
    def is_last(self) -> BoolsN:
        return np.asarray(self.sessions.days == self.setting.stock.last_day)

    @property
    def past(self) -> Examples:
        return self.examples.rows(~self.is_last)

    @property
    def calibration(self) -> Examples:
        return self.examples.rows(self.is_last & ~self.measured)

    @property
    def measured(self) -> BoolsN:
        """The rows that measure."""
        rows = np.flatnonzero(self.is_last)
        measured = np.zeros(len(self.sessions), bool)
        measured[rows[len(rows) // 4 :]] = True
        return measured

    @property
    def seen(self) -> BoolsN:
        """Whether each picture is a candidate in training, [P]."""
        return self.past.seen(len(self.setting.stock.ids))[1:]

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that trains and measures a row, but its table."""
        digest = sha256()
        for array in vars(self.examples).values():
            digest.update(array.tobytes())
        return digest.hexdigest()

    def table(self, row: Row) -> FloatsND | None:
        """Return the table of pictures of a row; None if its vectors are not given."""
        vectors = {
            "gallery": self.setting.vectors,
            "imagenet": self.imagenet,
            "exact": exact_vectors(self.setting.stock.cells),
        }[row.vectors]
        return None if vectors is None else picture_table(vectors)


def prepare(
    cards: pd.DataFrame, vectors: FloatsND, imagenet: FloatsND | None, profiles: Path | None, sizes: tuple[int, int]
) -> Data:
    """Draw the world and its sessions: `sizes` are those of training and of the last day."""
    setting = setting_of(cards, vectors, WORLD, profiles=read_profiles(profiles) if profiles else None)
    rows = np.searchsorted(cards["id"].to_numpy(), setting.stock.ids)
    sessions = setting.sessions(*sizes, seed=WORLD)
    examples = examples_of(impressions_of(sessions, setting.stock, setting.profiles), setting.stock.ids)
    return Data(setting, None if imagenet is None else imagenet[rows], sessions, examples)


def ceilings(data: Data) -> dict[str, FloatsNK]:
    """Return the exact P(like) of the measured sessions for each kind of knowledge."""
    measured = data.sessions.rows(data.measured)
    return {
        name: p_like(data.setting.world, data.setting.stock, measured, data.seen, knowledge)
        for name, knowledge in KNOWLEDGE.items()
    }
