"""An A/B test of two rankers, from the logs of an experiment: every user saw the lists of one arm."""

from argparse import ArgumentParser
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from training.ranking.impressions import EXPOSURES, LIKES, LogError, join, read_log

from ..report.experiment import Experiment, Measurement, MeasurementError
from ..report.markdown import table
from ..report.statistics import sample_ratio_p
from .ab_report import ALARM


class RankingAB(Experiment):
    """Compare two rankers by the likes of their lists, and decide which one to serve.

        python -m perf ab_ranking --exposures logs/exposures --likes logs/likes.jsonl

    Exposures are what `Client(experiment=…, on_impression=ImpressionLog("logs/exposures"))` logs, likes those of your
    product: `user`, `picture`, `time` and, if it is known, `request_id`. If the arms of the experiment have unequal
    weights, name both: `--arms A B --weights 0.9 0.1`. The report begins with the verdict.
    """

    name = "ab_ranking"
    title = "A/B test of two rankers"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--exposures", type=Path, required=True, help="folder of the SDK's impressions")
        parser.add_argument("--likes", type=Path, required=True, help="JSON Lines or Parquet of likes")
        parser.add_argument("--arms", nargs=2, metavar="MODEL", help="by default the two of the log, by name")
        parser.add_argument(
            "--weights", nargs=2, type=float, metavar="W", default=[1, 1], help="of the arms; default: equal"
        )

        parser.add_argument("--source", default="logs", help="where the logs are from, for the report")

    def measure(self, args: Any) -> Measurement:
        try:
            exposures = read_log(args.exposures, EXPOSURES, nullable=("arm",))
            likes = read_log(args.likes, LIKES)
            lists = likes_a_list(exposures, likes)
        except LogError as exc:
            raise MeasurementError(str(exc)) from exc
        arms = args.arms or sorted(lists["arm"].unique())
        if len(arms) != 2:
            raise MeasurementError(f"expected the lists of two arms, got {len(arms)}; choose two with --arms")
        if not all(0 < weight < inf for weight in args.weights):
            raise MeasurementError("--weights: expected two positive numbers, as the experiment has")
        return Measurement(pd.DataFrame(), {"source": args.source, **compare(lists, arms, args.weights)})

    def table(self, measurement: Measurement) -> str:
        analysis = measurement.metadata
        columns = {
            "ranker": "{arm}",
            "users": "{users}",
            "lists": "{lists}",
            "likes a list": "{likes:.3f}",
            "lists with a like": "{with_like:.1%}",
            "different pictures": "{pictures}",
        }
        return f"""**{verdict(analysis)}**

From {analysis["source"]}. Likes a list are means over users. Users of both arms ({analysis["in_both"]}) are left out.
Sample ratio p = {analysis["sample_ratio_p"]:.2g}.

{table(analysis["rows"], columns)}"""


def likes_a_list(exposures: pd.DataFrame, likes: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each list of an arm: `user`, `arm`, `pictures` and `likes`.

    Raises:
        LogError: The logs cannot be joined.
    """
    no_users = pd.DataFrame({"user": [], "probabilities": []})
    lists = join(exposures, likes, no_users).impressions
    arms = exposures.drop_duplicates("request_id").set_index("request_id")["arm"]
    lists = lists.assign(arm=lists["request_id"].map(arms), likes=lists["liked"].map(sum))
    return lists.loc[lists["arm"].notna(), ["user", "arm", "pictures", "likes"]]


def compare(lists: pd.DataFrame, arms: Sequence[str], weights: Sequence[float] = (1, 1)) -> dict[str, Any]:
    """Return the figures of both arms, and the difference of likes a list, second arm minus first.

    The interval is Welch's, over users, because lists of one user are not independent. `weights` are those of the arms
    in the experiment.

    Raises:
        MeasurementError: An arm has fewer than two users.
    """
    lists = lists[lists["arm"].isin(arms)]
    in_both = lists.groupby("user")["arm"].transform("nunique") > 1
    kept = lists[~in_both]
    users = [kept[kept["arm"] == arm].groupby("user")["likes"].mean() for arm in arms]
    if min(map(len, users)) < 2:
        raise MeasurementError(f"expected at least two users in each arm, got {len(users[0])} and {len(users[1])}")
    test = stats.ttest_ind(users[1], users[0], equal_var=False)
    low, high = test.confidence_interval()
    rows = [_arm(arm, kept[kept["arm"] == arm], likes) for arm, likes in zip(arms, users, strict=True)]
    return {
        "arms": list(arms),
        "in_both": int(lists.loc[in_both, "user"].nunique()),
        "sample_ratio_p": sample_ratio_p(len(users[0]), len(users[1]), *weights),
        "difference": {"value": float(users[1].mean() - users[0].mean()), "low": float(low), "high": float(high)},
        "rows": rows,
    }


def _arm(arm: str, lists: pd.DataFrame, likes: "pd.Series[float]") -> dict[str, Any]:
    return {
        "arm": arm,
        "users": len(likes),
        "lists": len(lists),
        "likes": float(likes.mean()),
        "with_like": float((lists["likes"] > 0).mean()),
        "pictures": int(lists["pictures"].explode().nunique()),
    }


def verdict(analysis: Any) -> str:
    """Say which arm to serve: the one with more likes a list, unless the difference may be chance."""
    arms, difference = analysis["arms"], analysis["difference"]
    if analysis["sample_ratio_p"] < ALARM:
        first, second = (row["users"] for row in analysis["rows"])
        return f"Choose neither yet: {arms[0]} had {first} users, {arms[1]} {second}; find the fault."
    interval = f"{difference['value']:+.3f} likes a list, {difference['low']:+.3f} to {difference['high']:+.3f}"
    if difference["low"] <= 0 <= difference["high"]:
        return f"Undecided: the difference may be chance ({arms[1]} minus {arms[0]}: {interval})."
    return f"Choose {arms[int(difference['value'] > 0)]} ({arms[1]} minus {arms[0]}: {interval})."
