"""The impressions of a preference world as a table, in the form of `training.ranking.impressions`."""

from typing import Final

import numpy as np
import pandas as pd

from .preference_pictures import Stock
from .preference_sessions import Profiles, Sessions

# Day 0 of every world.
_START: Final = pd.Timestamp("2026-01-01", tz="UTC")


def impressions_of(sessions: Sessions, stock: Stock, profiles: Profiles, seed: int = 0) -> pd.DataFrame:
    """Return one row for each session: who was shown which pictures when, and what was liked.

    Args:
        sessions: N sessions.
        stock: Translates rows to picture ids.
        profiles: The users' EMBEDDING.
        seed: Of the time of day.
    """
    seconds = np.random.default_rng((seed, 21)).integers(0, 86_400, len(sessions))
    return pd.DataFrame(
        {
            "request_id": [f"session-{number}" for number in range(len(sessions))],
            "user": [f"user-{number}" for number in range(len(sessions))],
            "time": _START + pd.to_timedelta(sessions.days, unit="D") + pd.to_timedelta(seconds, unit="s"),
            "pictures": list(stock.ids[sessions.shown]),
            "propensities": list(sessions.propensities),
            "liked": list(sessions.liked),
            "history": [stock.ids[liked[liked >= 0]] for liked in sessions.history],
            "probabilities": list(np.column_stack([1 - sessions.p_female, sessions.p_female])),
            "embedding": list(profiles.embeddings[sessions.profiles]),
        }
    )
