"""Visits served through the SDK, which logs what was shown; the world decides what is liked."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from genderclient import Client, Impression, ImpressionLog, Probabilities, Ranking, UserFeatures
from training.arrays import FloatsNK, IntsNK
from training.synthetic.preference_sessions import Sessions

from .town import Town

DAY_S = 86_400.0
# Day 0 of the logs.
START_S = 1_767_225_600.0
SHOWN = 3
THREADS = 4


@dataclass(frozen=True)
class Shown:
    """What N visits were shown and liked: columns of the visit's candidates, propensities, likes, [N, SHOWN] each."""

    places: IntsNK
    propensities: FloatsNK
    liked: FloatsNK


def day_log(folder: Path, day: int) -> Callable[[Impression], None]:
    """Return a callback for `Client` that logs impressions as of a simulated day."""
    log = ImpressionLog(folder)
    return lambda impression: log(replace(impression, time=START_S + day * DAY_S + DAY_S / 2))


def ask(client: Client, town: Town, visits: Sessions, row: int, **options: object) -> Ranking:
    """Rank the candidates of a visit."""
    profile, history = visits.profiles[row], visits.history[row]
    female = float(visits.p_female[row])
    return client.rank(
        features=UserFeatures(
            embedding=town.profiles.embeddings[profile], probabilities=Probabilities(male=1 - female, female=female)
        ),
        liked=town.stock.ids[history[history >= 0]].tolist(),
        among=town.stock.ids[visits.shown[row]].tolist(),
        **options,  # type: ignore[arg-type]
    )


def serve(client: Client, town: Town, visits: Sessions, day: int, likes: Path, seed: int) -> Shown:
    """Show each visit an explored list, and append to the log of likes: earlier ones, and those of these lists."""
    rng = np.random.default_rng((seed, day))

    def rank(row: int) -> Ranking:
        return ask(client, town, visits, row, k=SHOWN, seed=int(seed + row), user_id=user_of(day, row))

    with ThreadPoolExecutor(THREADS) as pool:
        rankings = list(pool.map(rank, range(len(visits))))
    pictures = np.array([ranking.pictures for ranking in rankings])
    propensities = np.array([ranking.propensities for ranking in rankings])
    liked = rng.random(pictures.shape) < town.p_like(visits, town.rows(pictures))
    with likes.open("a", encoding="utf-8") as file:
        for row, ranking in enumerate(rankings):
            file.writelines(_likes(town, visits, day, row, ranking, liked[row]))
    candidates = town.stock.ids[visits.shown]
    places = (candidates[:, None, :] == pictures[:, :, None]).argmax(axis=2)
    return Shown(places, propensities, liked.astype(float))


def user_of(day: int, row: int) -> str:
    """Return the name of a visit's user."""
    return f"user-{day}-{row}"


def _likes(town: Town, visits: Sessions, day: int, row: int, ranking: Ranking, liked: Sequence[bool]) -> list[str]:
    history = visits.history[row]
    earlier = town.stock.ids[history[history >= 0]]
    midday_s = START_S + day * DAY_S + DAY_S / 2
    user = user_of(day, row)
    # Histories are newest first.
    lines = [
        {"user": user, "picture": int(picture), "time": midday_s - 60 * (place + 1), "request_id": None}
        for place, picture in enumerate(earlier)
    ]
    lines += [
        {"user": user, "picture": picture, "time": midday_s + 60, "request_id": ranking.request_id}
        for picture, is_liked in zip(ranking.pictures, liked, strict=True)
        if is_liked
    ]
    return [json.dumps(line) + "\n" for line in lines]
