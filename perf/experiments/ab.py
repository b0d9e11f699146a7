"""Which of two arms to serve: every user is shown to both, and the answers and the times are compared pair by pair.

    python -m perf.experiments.ab                                        # drawn users, a server of its own
    python -m perf.experiments.ab --data users.csv --url grpc://HOST:8001     # yours

`--data` is a CSV with the columns `nickname`, `avatar` (a file, beside the CSV) and, where known, `gender`. Writes
`results/ab.{json,md,html,png}`; the first line of the report says which arm to choose, and why.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genderclient import Client, GenderClientError
from genderprep.tensors import LABELS
from server.launch.process import ROOT, StartError, running_triton
from training.evaluation.benchmark import mcnemar
from training.evaluation.metrics import auc, wilson_interval
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

from ..report.command import positive
from ..report.statistics import paired_bootstrap, percentile_difference, sample_ratio
from . import ab_report

ARMS: Final = ("gender_densenet", "gender_mobilenet")
RANKS: Final = (50, 95, 99)
WARM_UP: Final = 20
# Training draws its users from small seeds; those drawn here are to be others.
UNSEEN: Final = 1_000_000


class UsersError(ValueError):
    """The users cannot be read; the message names the file and what was expected."""


def read_users(file: Path) -> pd.DataFrame:
    """The columns `nickname`, `avatar` and `gender` of a CSV; what is not known is empty.

    Raises:
        UsersError: no such file, a column is missing, a gender or avatar is none, or nobody is in it.
    """
    if not file.is_file():
        raise UsersError(f"no file {file}; expected a CSV with the columns nickname, avatar and perhaps gender")
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    if missing := {"nickname", "avatar"} - set(table):
        raise UsersError(f"{file}: no column {', '.join(sorted(missing))}; expected nickname, avatar, perhaps gender")
    table = table.assign(gender=table.get("gender", ""))
    if table.empty:
        raise UsersError(f"{file}: no users")
    for row, (avatar, gender) in enumerate(zip(table["avatar"], table["gender"], strict=True)):
        if gender not in (*LABELS, ""):
            raise UsersError(f"{file}, row {row}: gender {gender!r}; expected {', '.join(LABELS)} or nothing")
        if avatar and not (file.parent / avatar).is_file():
            raise UsersError(f"{file}, row {row}: no avatar {avatar}; expected a path from the CSV's folder")
    return table[["nickname", "avatar", "gender"]]


def shadow(
    client: Client, users: pd.DataFrame, folder: Path, arms: Sequence[str], seed: int, threads: int
) -> pd.DataFrame:
    """Show every user to both arms, in an order that dice decide: one row a user.

    Columns: `gender`, `first` (the position of the arm that was asked first), and for the arm at position i `female_i`
    (P(female), NaN if it failed), `said_i`, `ms_i` and `error_i` (the kind of the error, empty if there was none).
    """
    for arm in arms:
        for _ in range(WARM_UP):
            client.predict(nickname="warm", model=arm)

    def both(row: int) -> dict[str, Any]:
        user, order = users.iloc[row], list(range(len(arms)))
        Random(f"{seed}/{row}").shuffle(order)
        avatar = (folder / user["avatar"]).read_bytes() if user["avatar"] else None
        answers = [_ask(client, position, arms[position], avatar, user["nickname"]) for position in order]
        return {"gender": user["gender"], "first": order[0], **answers[0], **answers[1]}

    with ThreadPoolExecutor(threads) as pool:
        return pd.DataFrame(list(pool.map(both, range(len(users)))))


def analyse(rows: pd.DataFrame, arms: Sequence[str], seed: int) -> dict[str, Any]:
    """Everything that the report says, from what `shadow` returned; differences are second arm minus first."""
    good = rows[(rows["error_0"] == "") & (rows["error_1"] == "")].reset_index(drop=True)
    asked_first = [int((rows["first"] == position).sum()) for position in (0, 1)]
    found: dict[str, Any] = {
        "arms": list(arms),
        "users": len(rows),
        "failed": {arm: _counts(rows[f"error_{position}"]) for position, arm in enumerate(arms)},
        "asked_first": asked_first,
        "sample_ratio_p": sample_ratio(*asked_first),
    }
    if good.empty:
        return found
    found["agreement"] = float((good["said_0"] == good["said_1"]).mean())
    found["unknown"] = [float((good[f"said_{position}"] == "unknown").mean()) for position in (0, 1)]
    found["latency_ms"] = {f"p{rank}": _latency(good, rank, seed) for rank in RANKS}
    labelled = good[good["gender"] != ""]
    if not labelled.empty:
        found |= {"labelled": len(labelled), "accuracy": _accuracy(labelled, seed)}
    if labelled["gender"].nunique() == len(LABELS):
        found["auc"] = _auc(labelled, seed)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="CSV of users; default: drawn ones")
    parser.add_argument("--users", type=positive, default=1000, help="how many are drawn")
    parser.add_argument("--url", help="a running server; default: one of its own")
    parser.add_argument("--arms", nargs=2, default=ARMS, metavar="MODEL")
    parser.add_argument("--margin", type=float, default=0.01, help="the accuracy that speed may cost, as a share")
    parser.add_argument("--threads", type=positive, default=1, help="users at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    try:
        with ExitStack() as stack:
            drawn = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            file = args.data or write_users(args.users, AvatarPool(), builtin_names(), drawn, UNSEEN + args.seed)
            users = read_users(file)
            url = args.url or f"grpc://{stack.enter_context(running_triton(ROOT / 'model_repository')).grpc_url}"
            client = stack.enter_context(Client(url))
            rows = shadow(client, users, file.parent, args.arms, args.seed, args.threads)
    except (UsersError, StartError, GenderClientError, ValueError) as exc:
        raise SystemExit(f"ab: {exc}") from exc
    found = analyse(rows, args.arms, args.seed)
    source = args.data.name if args.data else "drawn"
    ab_report.write(found, args.margin, args.results, seed=args.seed, data=source, threads=args.threads)
    print((args.results / "ab.md").read_text(encoding="utf-8"))


def _ask(client: Client, position: int, model: str, avatar: bytes | None, nickname: str) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        answer = client.predict(avatar=avatar, nickname=nickname, model=model)
        found: dict[str, Any] = {"female": answer.probabilities.female, "said": answer.gender, "error": ""}
    except GenderClientError as exc:
        found = {"female": float("nan"), "said": "", "error": type(exc).__name__}
    found["ms"] = 1000 * (time.perf_counter() - start)
    return {f"{name}_{position}": value for name, value in found.items()}


def _counts(errors: pd.Series) -> dict[str, int]:
    return {str(kind): int(count) for kind, count in errors[errors != ""].value_counts().items()}


def _latency(good: pd.DataFrame, rank: float, seed: int) -> dict[str, Any]:
    times = [good["ms_0"].to_numpy(), good["ms_1"].to_numpy()]
    values = [float(np.percentile(each, rank)) for each in times]
    low, high = paired_bootstrap(percentile_difference(times[1], times[0], rank), len(good), seed)
    return {"values": values, "difference": values[1] - values[0], "low": low, "high": high}


def _accuracy(labelled: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Of the likelier gender, whatever the threshold of `unknown`."""
    right = [(labelled[f"female_{i}"] >= 0.5).to_numpy() == (labelled["gender"] == "female").to_numpy() for i in (0, 1)]
    gain = right[1].astype(float) - right[0]
    low, high = paired_bootstrap(lambda rows: float(gain[rows].mean()), len(gain), seed)
    return {
        "values": [float(each.mean()) for each in right],
        "intervals": [wilson_interval(int(each.sum()), len(each)) for each in right],
        "difference": float(gain.mean()),
        "low": low,
        "high": high,
        "mcnemar_p": mcnemar(*right),
    }


def _auc(labelled: pd.DataFrame, seed: int) -> dict[str, Any]:
    female = (labelled["gender"] == "female").to_numpy(float)
    scores: list[NDArray[Any]] = [labelled[f"female_{position}"].to_numpy() for position in (0, 1)]
    values = [auc(female, each) for each in scores]

    def difference(rows: NDArray[np.int64]) -> float:
        return auc(female[rows], scores[1][rows]) - auc(female[rows], scores[0][rows])

    low, high = paired_bootstrap(difference, len(female), seed)
    return {"values": values, "difference": values[1] - values[0], "low": low, "high": high}


if __name__ == "__main__":
    main()
