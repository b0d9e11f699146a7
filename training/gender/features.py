"""The features of both towers, which the fusion is trained on."""

from dataclasses import dataclass, fields

import keras
import numpy as np

from genderprep.tensors import IMAGE

from ..arrays import BoolsN2, FloatsN1, FloatsND
from ..data.augmentation import Augmentation, augment
from ..data.batches import Preparation, Users
from ..data.manifest import Manifest, ManifestError
from ..data.stream import prepare_chunks
from .model import image_size


@dataclass(frozen=True)
class Features:
    """Users as the fusion sees them: features of avatar and nickname, float16 [N, D], and which are present, [N, 2].

    `female` is their label, 1 for female, and `p_female` their soft label, [N, 1].
    """

    avatar: FloatsND
    nickname: FloatsND
    present: BoolsN2
    female: FloatsN1
    p_female: FloatsN1

    @classmethod
    def join(cls, parts: list["Features"]) -> "Features":
        """Join users in order."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def features_of(
    model: keras.Model, manifest: Manifest, split: str, augmentation: Augmentation | None = None, seed: int = 0
) -> Features:
    """Run both towers of a fused model over a split, with augmented avatars if requested.

    Raises:
        ManifestError: The manifest cannot be used, or has no usable rows in the split.
    """
    rng = np.random.default_rng(seed)

    def run(users: Users) -> Features:
        images = augment(users, (IMAGE,), augmentation, rng)[IMAGE] if augmentation else users.images
        avatar = model.get_layer("image_tower").predict_on_batch(images)
        nickname = model.get_layer("text_tower").predict_on_batch(users.tokens)
        return Features(
            avatar.astype(np.float16), nickname.astype(np.float16), users.present, users.female, users.p_female
        )

    chunks = prepare_chunks(manifest.tables(split), Preparation(manifest.bad_rows, image_size(model)))
    parts = [run(users) for _, users in chunks if len(users)]
    if not parts:
        raise ManifestError(f"{manifest.file}: no rows in the split {split!r}")
    return Features.join(parts)
