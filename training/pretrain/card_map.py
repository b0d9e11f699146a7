"""A map of drawn cards: those that an encoder sees as similar are near each other."""

from typing import Any, Final

import numpy as np
from sklearn.manifold import TSNE

from .measures import Embeddings
from .rows import Cards, Row

_MAPPED: Final = 400


def place_cards(row: Row, cards: Cards) -> dict[str, Any]:
    """Return the row's name, and seed and place of test cards, by t-SNE of the row's whitened embedding."""
    test = cards.test_at(row.size)
    once = test.rows(np.unique(test.table["card"], return_index=True)[1][:_MAPPED])
    encoder = row.encoders[0]()
    whitened = Embeddings(row.embed(encoder, cards.train_at(row.size)), row.embed(encoder, once)).whitened()
    places = TSNE(init="pca", perplexity=15, random_state=0).fit_transform(whitened.test)
    return {
        "row": row.name,
        "places": [
            {"card": int(card), "x": round(float(x), 2), "y": round(float(y), 2)}
            for card, (x, y) in zip(once.table["card"], places, strict=True)
        ],
    }
