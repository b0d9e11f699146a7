"""Groups of users whose results are reported by themselves, and the results of each."""

from typing import Any, Final

import numpy as np
import pandas as pd
import regex
from numpy.typing import NDArray

from ..data.batches import Users
from .benchmark import ceiling
from .metrics import Summary, summary

SHOWN: Final = {
    (True, True): "both",
    (True, False): "avatar only",
    (False, True): "nickname only",
    (False, False): "nothing",
}
# A nickname belongs to the first of these that it has a character of.
_SCRIPTS: Final = {"Han": regex.compile(r"\p{Han}"), "Latin": regex.compile(r"\p{Latin}"), "other": regex.compile(".")}
_EMOJI: Final = regex.compile(r"[\p{Extended_Pictographic}--[♀♂]]|\p{Regional_Indicator}", regex.VERSION1)


def by_slice(table: pd.DataFrame, users: Users, female: NDArray[Any]) -> dict[str, Summary]:
    """The summary of P(female), float [N], of each group of these users who has a member.

    Synthetic users have a posterior, and with it `ceiling`, the accuracy that is possible; strata have none, for
    nobody is shown them.
    """
    known = table["posterior"].to_numpy(float) if "posterior" in table else None
    found = {}
    for name, rows in groups(table, users).items():
        found[name] = summary(users.female[rows, 0], female[rows])
        if known is not None and not name.startswith("stratum "):
            found[name]["ceiling"] = round(ceiling(known[rows]), 4)
    return found


def groups(table: pd.DataFrame, users: Users) -> dict[str, NDArray[np.bool_]]:
    """Who belongs to each group, bool [N]: all, by what they show, by source and stratum, by script and emoji."""
    columns = {"source": table["source"], "script": table["nickname"].map(script)}
    if "stratum" in table:
        columns["stratum"] = table["stratum"]
    named = {"all": np.ones(len(users), np.bool_)}
    named |= {name: shown(users) == name for name in SHOWN.values()}
    for column, values in columns.items():
        named |= {f"{column} {value}": (values == value).to_numpy() for value in sorted(set(values) - {""})}
    named["with emoji"] = table["nickname"].map(lambda nickname: bool(_EMOJI.search(nickname))).to_numpy(np.bool_)
    return {name: members for name, members in named.items() if members.any()}


def shown(users: Users) -> NDArray[np.str_]:
    """What each user shows, one of `SHOWN`: str [N]."""
    return np.array([SHOWN[bool(avatar), bool(nickname)] for avatar, nickname in users.present])


def script(nickname: str) -> str:
    """`Han`, `Latin` or `other` by the characters of a nickname, empty for the empty one."""
    return next((name for name, pattern in _SCRIPTS.items() if pattern.search(nickname)), "")
