r"""Join the logs of a product to impressions: what was shown, and what of it was liked.

    python -m training.ranking.impressions --exposures logs/exposures --likes logs/likes.jsonl \
        --users users.parquet --out runs/impressions.parquet

- **Exposures** are what the SDK's callback writes, one line for each shown list: `request_id`, `user`, `time` (Unix
  seconds), `pictures` by position, and `propensities`.
- **Likes** are the product's own log: `user`, `picture`, `time`, and `request_id` if it is known.
- **Users** are the stored outputs of the gender model: `user`, `probabilities`, and `embedding` if it is stored.

An impression has the columns `request_id`, `user`, `time`, `pictures`, `propensities`, `liked`, `history` (what the
user had liked before, newest first) and the user's columns. A like counts for the list of its `request_id`; without
one, for the last list that showed the picture to this user, if it is not older than a day.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ..data.bad_rows import ManifestError
from ..data.tables import read_parquet
from .config import MAX_HISTORY

EXPOSURES: Final = ("request_id", "user", "time", "pictures", "propensities")
LIKES: Final = ("user", "picture", "time")
USERS: Final = ("user", "probabilities")
# What every file of impressions has; `embedding` is optional.
IMPRESSIONS: Final = (*EXPOSURES, "liked", "history", "probabilities")
# Later times, of the year 5138, are milliseconds.
_LATEST_S: Final = 1e11
# The longest time from an exposure to its like.
_WITHIN: Final = pd.Timedelta(days=1)
# A user of whom nothing is stored.
_UNKNOWN: Final = (0.5, 0.5)


class LogError(ValueError):
    """A log cannot be used."""


@dataclass(frozen=True)
class Joined:
    """Impressions, and what of the logs is not in them.

    Args:
        impressions: One row for each shown list.
        unmatched: Likes of a picture that no list showed to the user in the day before. They still belong to
            histories.
        repeated: Exposures with the `request_id` of an earlier one, which are dropped.
        unknown_users: Lists shown to users of whom nothing is stored.
    """

    impressions: pd.DataFrame
    unmatched: int
    repeated: int
    unknown_users: int


def read_log(path: Path, columns: tuple[str, ...], nullable: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a log: a JSON Lines or Parquet file, or a folder of such files.

    `time`, Unix seconds or timestamps, becomes UTC timestamps in nanoseconds; `user` and `request_id` become text.

    Args:
        path: The file or folder.
        columns: Columns with a value in each row.
        nullable: Columns that may lack some values.

    Raises:
        LogError: There is no file, a column or a value is missing, or a time is no number of seconds.
    """
    files = sorted(path.glob("*.jsonl")) + sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise LogError(f"{path}: expected a .jsonl or .parquet file, or a folder of them")
    log = pd.concat([_read(file) for file in files], ignore_index=True)
    expected = (*columns, *nullable)
    if missing := [name for name in expected if name not in log]:
        raise LogError(f"{path}: expected the columns {', '.join(expected)}; {', '.join(missing)} missing")
    if empty := [name for name in columns if log[name].isna().any()]:
        raise LogError(f"{path}: expected a value in each row; {', '.join(empty)} lacks some")
    return log


def _timestamps(file: Path, times: "pd.Series[Any]") -> "pd.Series[Any]":
    if not pd.api.types.is_datetime64_any_dtype(times):
        seconds = pd.to_numeric(times, errors="coerce")
        if seconds.isna().any() or seconds.max() > _LATEST_S:
            raise LogError(f"{file}: expected Unix seconds in the column time, not text or milliseconds")
        times = pd.to_datetime(seconds, unit="s", utc=True)
    return pd.to_datetime(times, utc=True).dt.as_unit("ns")


def join(exposures: pd.DataFrame, likes: pd.DataFrame, users: pd.DataFrame) -> Joined:
    """Join exposures, likes and stored users to impressions, in the order of time.

    Args:
        exposures: The columns `EXPOSURES`.
        likes: The columns `LIKES`, and optionally `request_id`.
        users: The columns `USERS`, and optionally `embedding`.

    Raises:
        LogError: A list has another number of propensities than pictures.
    """
    if not (exposures["pictures"].map(len) == exposures["propensities"].map(len)).all():
        raise LogError("expected one propensity for each shown picture; a list has another number of them")
    shown = exposures.sort_values("time", kind="stable").drop_duplicates("request_id").reset_index(drop=True)
    liked, unmatched = _liked(shown, likes)
    stored = users.drop_duplicates("user", keep="last").set_index("user")
    features = stored.reindex(shown["user"]).reset_index(drop=True)
    unknown = features["probabilities"].isna()
    features["probabilities"] = [
        _UNKNOWN if missing else value for missing, value in zip(unknown, features["probabilities"], strict=True)
    ]
    impressions = shown[list(EXPOSURES)].assign(liked=pd.Series(liked), history=pd.Series(_histories(shown, likes)))
    columns = [name for name in ("probabilities", "embedding") if name in features]
    return Joined(impressions.join(features[columns]), unmatched, len(exposures) - len(shown), int(unknown.sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exposures", type=Path, required=True, help="file or folder that the SDK's callback wrote")
    parser.add_argument("--likes", type=Path, required=True, help="the product's log of likes")
    parser.add_argument("--users", type=Path, required=True, help="Parquet with user, probabilities, embedding")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file of the impressions")
    args = parser.parse_args()
    try:
        exposures, likes = read_log(args.exposures, EXPOSURES), read_log(args.likes, LIKES)
        joined = join(exposures, likes, read_log(args.users, USERS))
    except (LogError, ManifestError) as exc:
        raise SystemExit(f"impressions: {exc}") from exc
    args.out.parent.mkdir(parents=True, exist_ok=True)
    joined.impressions.to_parquet(args.out, index=False)
    print(
        f"{args.out}: {len(joined.impressions)} lists; {joined.unmatched} likes without a list, {joined.repeated} "
        f"repeated lists, {joined.unknown_users} lists of unknown users"
    )


def _read(file: Path) -> pd.DataFrame:
    log = read_parquet(file) if file.suffix == ".parquet" else _read_lines(file)
    if "time" in log and log["time"].notna().all():
        log["time"] = _timestamps(file, log["time"])
    for name in ("user", "request_id"):
        if name in log:
            log[name] = log[name].map(_text, na_action="ignore").astype(object)
    return log


def _read_lines(file: Path) -> pd.DataFrame:
    try:
        # Without dtype, pandas would turn users that are digits into numbers.
        return pd.read_json(file, lines=True, dtype=False, convert_dates=False)
    except ValueError:
        raise LogError(f"{file}, line {_first_bad_line(file)}: expected a JSON object; delete a cut line") from None


def _text(value: object) -> str:
    """A user or request as text. A column of numbers that once lacked one holds 7 as 7.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _first_bad_line(file: Path) -> int:
    with file.open("rb") as lines:
        return next((number for number, line in enumerate(lines, 1) if not _is_object(line)), 1)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _liked(shown: pd.DataFrame, likes: pd.DataFrame) -> tuple[list[Any], int]:
    """Return for each list which of its pictures were liked, and the number of likes without a list."""
    places = shown[["request_id", "user", "time", "pictures"]].explode("pictures")
    # A list without pictures has no place.
    places = places.dropna(subset="pictures").rename(columns={"pictures": "picture"}).astype({"picture": "int64"})
    places["row"] = places.index
    places["place"] = places.groupby("row").cumcount()
    clicks = likes.assign(request_id=likes.get("request_id")).astype({"picture": "int64"})
    clicks = clicks.sort_values("time", kind="stable")
    named = clicks["request_id"].notna()
    by_request = clicks[named].merge(places[["request_id", "picture", "row", "place"]], on=["request_id", "picture"])
    by_time = pd.merge_asof(
        clicks.loc[~named, list(LIKES)],
        places[["user", "picture", "time", "row", "place"]],
        on="time",
        by=["user", "picture"],
        tolerance=_WITHIN,
    ).dropna(subset="row")
    lengths = shown["pictures"].map(len).to_numpy()
    starts = np.cumsum(lengths) - lengths
    flat = np.zeros(int(lengths.sum()), bool)
    for matched in (by_request, by_time):
        flat[starts[matched["row"].astype(int)] + matched["place"].astype(int)] = True
    return np.split(flat, starts[1:]), len(clicks) - len(by_request) - len(by_time)


def _histories(shown: pd.DataFrame, likes: pd.DataFrame) -> list[list[int]]:
    """Return for each list what its user had liked before, newest first."""
    by_user = dict(iter(likes.sort_values("time", kind="stable").groupby("user")))
    histories: list[list[int]] = []
    for user, time in zip(shown["user"], shown["time"], strict=True):
        if user not in by_user:
            histories.append([])
            continue
        before = by_user[user]["time"].searchsorted(time)
        earlier = by_user[user]["picture"].to_numpy()[:before]
        histories.append(earlier[::-1][:MAX_HISTORY].tolist())
    return histories


if __name__ == "__main__":
    main()
