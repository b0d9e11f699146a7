"""From logits to a list: the best places, their calibrated scores and their propensities."""

from typing import Final

import numpy as np

from picturegallery.ranking_inputs import CANDIDATE_IDS, CANDIDATE_MASK, EXPLORE, NOISE

from .graph import Graph, Tensor

PICTURES: Final = "PICTURES"
SCORES: Final = "SCORES"
PROPENSITIES: Final = "PROPENSITIES"
LIST_SIZE: Final = 20
# Divides the logits of exploration: 1 chooses among equally liked and half as liked pictures by 2 : 1, lower values
# stay closer to the best list.
TEMPERATURE: Final = 0.25
# In units of the temperature. Weights of pictures this far below the best do not underflow.
_RANGE: Final = 80.0
_LAST: Final = -1e9


def ranking_head(graph: Graph, logits: Tensor, temperature: float = TEMPERATURE) -> None:
    """Write the outputs `PICTURES`, `SCORES` and `PROPENSITIES`, `[B, LIST_SIZE]` each.

    With Gumbel noise, the order of logits / temperature + noise is a draw of the Plackett–Luce model with the weights
    w = exp(logit / temperature) (Kool et al., 2019, https://arxiv.org/abs/1903.06059). The probability of a place,
    given those above, is its weight by the sum of the weights of all pictures that are not above. That sum is written
    as additions only, so that a list's last propensities are as exact as its first.

    Args:
        graph: Has the inputs `CANDIDATE_IDS`, `CANDIDATE_MASK` and `NOISE`, `[B, C]`, and `EXPLORE`, `[B, 1]`.
        logits: Of P(like), `[B, C]`.
        temperature: Of exploration.
    """
    name, rows = "list", np.array([1])
    utilities = graph.add("Div", logits, np.array(temperature, np.float32), name=f"{name}/utilities")
    known = graph.add("Where", CANDIDATE_MASK, utilities, np.array(_LAST, np.float32), name=f"{name}/known")
    best = graph.add("ReduceMax", known, name=f"{name}/best", axes=[1], keepdims=1)
    below = graph.add("Sub", known, best, name=f"{name}/below")
    clipped = graph.add("Max", below, np.array(-_RANGE, np.float32), name=f"{name}/clipped")
    mask = graph.as_float(CANDIDATE_MASK, f"{name}/mask")
    weights = graph.add("Mul", graph.add("Exp", clipped, name=f"{name}/exp"), mask, name=f"{name}/weights")

    keys = graph.add("Add", below, NOISE, name=f"{name}/noisy")
    keys = graph.add("Where", CANDIDATE_MASK, keys, np.array(_LAST, np.float32), name=f"{name}/keys")
    _, places = graph.top_k(keys, LIST_SIZE, f"{name}/top")

    def at_places(tensor: Tensor, label: str) -> Tensor:
        return graph.add("GatherElements", tensor, places, name=f"{name}/{label}", axis=1)

    is_picture = at_places(CANDIDATE_MASK, "is_picture")
    chosen = at_places(weights, "chosen")
    zeros = graph.add("Sub", chosen, chosen, name=f"{name}/zeros")
    left = graph.add("ScatterElements", weights, places, zeros, name=f"{name}/left", axis=1)
    rest = graph.add("ReduceSum", left, rows, name=f"{name}/rest")
    tail = graph.add("CumSum", chosen, np.array(1), name=f"{name}/tail", reverse=1)
    total = graph.add("Add", tail, rest, name=f"{name}/total")
    explored = graph.add("Div", chosen, total, name=f"{name}/explored")
    propensities = graph.add("Where", EXPLORE, explored, np.array(1, np.float32), name=f"{name}/propensities")

    scores = graph.add("Sigmoid", at_places(logits, "logits"), name=f"{name}/likes")
    none = np.array(0, np.float32)
    graph.add("Where", is_picture, at_places(CANDIDATE_IDS, "ids"), np.array(-1), name=PICTURES)
    graph.add("Where", is_picture, scores, none, name=SCORES)
    graph.add("Where", is_picture, propensities, none, name=PROPENSITIES)
