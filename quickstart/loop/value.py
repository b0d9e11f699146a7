"""What rankers are worth: estimated before they are served, and the truth."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from genderclient import Client
from training.arrays import FloatsNK, IntsNK
from training.ranking.off_policy import (
    PolicyValue,
    doubly_robust,
    inverse_propensity,
    plackett_luce,
    self_normalized,
)
from training.synthetic.preference_sessions import Sessions

from .exposures import SHOWN, Shown, ask
from .town import CANDIDATES, Town

DRAWS = 200
CANARY = "rank_embedding_canary"


@dataclass(frozen=True)
class Scores:
    """A ranker's P(like) of the candidates of N visits [N, CANDIDATES], and the temperature of its lists."""

    p_like: FloatsNK
    temperature: float

    @property
    def utilities(self) -> FloatsNK:
        """What the softmax of its lists is over, [N, CANDIDATES]."""
        utilities: FloatsNK = logit(self.p_like) / self.temperature
        return utilities


def score(client: Client, town: Town, visits: Sessions, temperature: float, model: str, seed: int) -> Scores:
    """Ask a ranker for the scores of all candidates of each visit, when it explores as in `exposures.serve`."""
    p_like = np.empty((len(visits), CANDIDATES))
    for row in range(len(visits)):
        ranking = ask(client, town, visits, row, k=CANDIDATES, model=model, seed=seed + row)
        places = {picture: place for place, picture in enumerate(ranking.pictures)}
        order = [places[picture] for picture in town.stock.ids[visits.shown[row]].tolist()]
        p_like[row] = np.array(ranking.scores)[order]
    return Scores(p_like, temperature)


def estimates(shown: Shown, scores: Scores) -> dict[str, PolicyValue]:
    """Estimate the likes a list of a ranker from the lists of another one."""
    target = plackett_luce(scores.utilities, shown.places)
    return {
        "inverse propensity": inverse_propensity(shown.liked, shown.propensities, target),
        "self-normalized": self_normalized(shown.liked, shown.propensities, target),
        "doubly robust": doubly_robust(shown.liked, shown.propensities, scores.utilities, shown.places, scores.p_like),
    }


def true_value(town: Town, visits: Sessions, utilities: FloatsNK, seed: int) -> float:
    """Return the expected likes of a list, given what the softmax of lists is over; by lists that are drawn."""
    p_like, rng = town.p_like(visits, visits.shown), np.random.default_rng((seed, 31))
    total = 0.0
    for _ in range(DRAWS):
        keys = utilities + rng.gumbel(size=utilities.shape)
        best = np.argpartition(-keys, SHOWN, axis=1)[:, :SHOWN]
        total += np.take_along_axis(p_like, best, axis=1).sum(axis=1).mean()
    return total / DRAWS


def expected_likes(town: Town, visits: Sessions, places: IntsNK) -> float:
    """Return the expected likes of lists that were shown, given as columns of the visits' candidates [N, K]."""
    p_like = town.p_like(visits, visits.shown)
    return float(np.take_along_axis(p_like, places, axis=1).sum(axis=1).mean())


def best_value(town: Town, visits: Sessions) -> float:
    """Return the expected likes of a list that shows the pictures with the highest true P(like)."""
    p_like = np.sort(town.p_like(visits, visits.shown), axis=1)
    return float(p_like[:, -SHOWN:].sum(axis=1).mean())
