"""Predict a whole split of a manifest in bounded memory."""

import keras
import numpy as np
import pandas as pd

from ..arrays import Arrays
from ..data.batches import Preparation, Users
from ..data.manifest import Manifest, ManifestError
from ..data.stream import prepare_chunks


def predict_split(model: keras.Model, manifest: Manifest, split: str, size: int) -> tuple[pd.DataFrame, Users, Arrays]:
    """Return the usable rows of a split, their users without images, and the model's outputs by name.

    Images of S = `size` pixels are in memory for a few hundred users at a time.

    Raises:
        ManifestError: The manifest cannot be used, or has no usable rows in the split.
    """
    tables: list[pd.DataFrame] = []
    users: list[Users] = []
    outputs: list[Arrays] = []
    for table, chunk in prepare_chunks(manifest.tables(split), Preparation(manifest.bad_rows, size)):
        if len(chunk):
            tables.append(table.drop(columns="avatar"))
            users.append(chunk.without_images())
            outputs.append(model.predict_on_batch(chunk.inputs(model.input)))
    if not users:
        raise ManifestError(f"{manifest.file}: no rows in the split {split!r}")
    joined = {name: np.concatenate([each[name] for each in outputs]) for name in outputs[0]}
    return pd.concat(tables), Users.concatenate(users), joined
