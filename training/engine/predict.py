"""What a trained model answers for a whole split of a manifest, however many rows that is."""

from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.batches import Preparation, Users
from ..data.manifest import Manifest, ManifestError
from ..data.stream import prepared


def predict_split(
    model: keras.Model, manifest: Manifest, split: str, size: int
) -> tuple[pd.DataFrame, Users, dict[str, NDArray[Any]]]:
    """The usable rows of a split, their users without images, and every output of the model by name.

    Pixels, and the bytes of a manifest that holds them, are in memory for some hundreds of users at a time.

    Raises:
        ManifestError: the manifest cannot be used, or has no usable rows in the split.
    """
    tables: list[pd.DataFrame] = []
    users: list[Users] = []
    answers: list[dict[str, NDArray[Any]]] = []
    for table, some in prepared(manifest.tables(split), Preparation(manifest.bad, size)):
        if len(some):
            tables.append(table.drop(columns="avatar"))
            users.append(some.without_images())
            answers.append(model.predict_on_batch(some.inputs(model.input)))
    if not users:
        raise ManifestError(f"{manifest.file}: no rows in the split {split!r}")
    joined = {name: np.concatenate([each[name] for each in answers]) for name in answers[0]}
    return pd.concat(tables), Users.joined(users), joined
