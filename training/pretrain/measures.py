"""The columns of the table of embeddings, as one value for each test picture: intervals and differences need them."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from ..arrays import FloatsN, FloatsND
from .neighbors import found, label_chance, neighbors, recall_chance, same_label
from .probe import linear_probe
from .whitening import Whitening

KS: Final = (10, 50)
NS: Final = (1, 5, 10, 15, 20)
# Compared among neighbors.
LABELS: Final = ("theme", "style")
# The label of the linear probe and of fine-tuning.
PROBED: Final = "theme"
PROBE: Final = "linear probe"
# Dimensions kept by whitening: the covariance of more needs more pictures, ten for each.
_WHITENED: Final = 128


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of the train pictures `[N, D]` and of the test pictures `[M, D]`."""

    train: FloatsND
    test: FloatsND

    def whitened(self) -> "Embeddings":
        """Whiten both with the statistics of the train pictures; at most 128 dimensions are kept."""
        whitening = Whitening.fit(self.train, min(_WHITENED, self.train.shape[1]))
        return Embeddings(whitening.transform(self.train), whitening.transform(self.test))


def measure(embeddings: Embeddings, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, FloatsN]:
    """Return each column's value for each test picture, `[M]`.

    A card drawn again is excluded from the neighbors whose labels are compared; it is the one that Recall@N looks for.

    Args:
        embeddings: Of the train and the test pictures.
        train: The manifest of the train pictures, with the column `PROBED`.
        test: The manifest of the test pictures, with the columns theme, style and card.
    """
    cards = test["card"].to_numpy()
    nearest = neighbors(embeddings.test, max(KS), excluded=cards)
    values = {f"{name}@{k}": same_label(nearest[:, :k], test[name].to_numpy()) for name in LABELS for k in KS}
    predicted = linear_probe(embeddings.train, train[PROBED].to_numpy(), embeddings.test)
    values[PROBE] = (predicted == test[PROBED].to_numpy()).astype(float)
    again = neighbors(embeddings.test, max(NS))
    return values | {f"recall@{n}": found(again, cards, n) for n in NS}


def chances(test: pd.DataFrame) -> dict[str, float]:
    """Return each column's chance level: of random neighbors and, for the probe, of the most frequent label."""
    levels = {f"{name}@{k}": label_chance(test[name].to_numpy()) for name in LABELS for k in KS}
    levels[PROBE] = float(test[PROBED].value_counts(normalize=True).max())
    return levels | {f"recall@{n}": recall_chance(test["card"].to_numpy(), n) for n in NS}
