"""Metrics by group of users."""

from typing import Final

import numpy as np
import pandas as pd
import regex
from numpy.typing import NDArray

from ..arrays import BoolsN, FloatsN
from ..data.batches import Users
from .benchmark import ceiling, expected_accuracy
from .intervals import identities_of
from .metrics import Summary, summary

MODALITIES: Final = {
    (True, True): "both",
    (True, False): "avatar only",
    (False, True): "nickname only",
    (False, False): "nothing",
}
# A nickname belongs to the first script that it contains.
_SCRIPTS: Final = {"Han": regex.compile(r"\p{Han}"), "Latin": regex.compile(r"\p{Latin}"), "other": regex.compile(".")}
_EMOJI: Final = regex.compile(r"[\p{Extended_Pictographic}--[♀♂]]|\p{Regional_Indicator}", regex.VERSION1)


def by_slice(table: pd.DataFrame, users: Users, p_female: FloatsN) -> dict[str, Summary]:
    """Return the summary of each group with users.

    If the manifest names identities, the intervals take their users as dependent. Synthetic users have a posterior,
    which gives the accuracy without the noise of the drawn labels, and `ceiling`, the best possible accuracy. Strata
    have neither, because no model sees the stratum.
    """
    identities = identities_of(table) if "identity" in table else None
    posterior = table["posterior"].to_numpy(float) if "posterior" in table else None
    summaries = {}
    for name, rows in groups(table, users).items():
        of_group = None if identities is None else identities[rows]
        summaries[name] = summary(users.female[rows, 0], p_female[rows], of_group)
        if posterior is not None and not name.startswith("stratum "):
            expected = expected_accuracy(posterior[rows], p_female[rows], identities_of(table[rows]))
            summaries[name] |= expected.rounded("expected_accuracy")
            summaries[name]["ceiling"] = round(ceiling(posterior[rows]), 4)
    return summaries


def groups(table: pd.DataFrame, users: Users) -> dict[str, BoolsN]:
    """Return the members of each group: all, by modality, source, script and stratum, and those with an emoji.

    Users without avatar and nickname are no group: all get the class prior.
    """
    columns = {"source": table["source"], "script": table["nickname"].map(script)}
    if "stratum" in table:
        columns["stratum"] = table["stratum"]
    members = {"all": np.ones(len(users), np.bool_)}
    members |= {name: modalities(users) == name for present, name in MODALITIES.items() if any(present)}
    for column, values in columns.items():
        members |= {f"{column} {value}": (values == value).to_numpy() for value in sorted(set(values) - {""})}
    members["with emoji"] = table["nickname"].map(lambda nickname: bool(_EMOJI.search(nickname))).to_numpy(np.bool_)
    return {name: rows for name, rows in members.items() if rows.any()}


def modalities(users: Users) -> NDArray[np.str_]:
    """Return one of `MODALITIES` for each user."""
    return np.array([MODALITIES[bool(avatar), bool(nickname)] for avatar, nickname in users.present])


def script(nickname: str) -> str:
    """Return `Han`, `Latin` or `other`; empty for an empty nickname."""
    return next((name for name, pattern in _SCRIPTS.items() if pattern.search(nickname)), "")
