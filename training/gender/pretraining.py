"""The configuration of a run on pictures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from genderprep.tensors import IMAGE_SIZE

from ..data.augmentation import STRONG, Augmentation

# How often each kind of picture is drawn; `neutral` is everything that tells nothing.
SHARES: Final = {"photo": 0.54, "render": 0.08, "cartoon": 0.1, "emoji": 0.08, "neutral": 0.2}


@dataclass(frozen=True)
class Pretraining:
    """One run on pictures.

    Args:
        pictures: How many are drawn in all.
        batch: B.
        learning_rate: Peak of a cosine schedule with warm-up.
        warmup: Share of the schedule in which the learning rate rises.
        teacher_share: Weight of the teacher's P(female) in the target; the labels have the rest.
        label_smoothing: Share of 1/2 in the target.
        shares: How often each kind of picture is drawn; `neutral` is everything that tells nothing.
    """

    pictures: int
    batch: int = 384
    learning_rate: float = 3e-4
    warmup: float = 0.08
    weight_decay: float = 1e-4
    teacher_share: float = 0.7
    label_smoothing: float = 0.03
    seed: int = 1
    image_size: int = IMAGE_SIZE
    augmentation: Augmentation = STRONG
    shares: Mapping[str, float] = field(default_factory=SHARES.copy)

    @property
    def steps(self) -> int:
        """Batches of the whole schedule."""
        return max(1, self.pictures // self.batch)

    def learning_rate_at(self, progress: float) -> float:
        """Return the learning rate at a share of the schedule: a linear rise, then half a cosine."""
        if progress < self.warmup:
            return self.learning_rate * (progress + 1e-3) / self.warmup
        return self.learning_rate * (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup))) / 2
