"""An A/B test of two ensembles: every user is sent to both, and answers and times are compared in pairs."""

import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from genderclient import Client, GenderClientError
from genderprep.tensors import LABELS
from training.synthetic.avatars import AvatarPool
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_users

from ..load.served import gender_ensembles, running_gender_models
from ..report.experiment import Charted, Experiment, Measurement, MeasurementError
from ..report.runner import positive
from .ab_analysis import analyze
from .ab_report import chart, table, write_page

WARM_UP: Final = 20
# Training draws its users from small seeds; these must be others.
UNSEEN: Final = 1_000_000


class UsersError(MeasurementError):
    """The table of users cannot be read."""


class AB(Experiment, Charted):
    """Send every user to two ensembles and decide which one to serve.

        python -m perf ab                                              # synthetic users, a server of its own
        python -m perf ab --data users.csv --url grpc://HOST:8001      # your users, your server

    `--data` is a CSV with the columns `nickname`, `avatar` (a path relative to the CSV) and, if known, `gender`. The
    report begins with the verdict; `ab.html` is the same report as one self-contained file.
    """

    name = "ab"
    title = "A/B test of the backbones"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, help="CSV of users; synthetic users by default")
        parser.add_argument("--users", type=positive, default=1000, help="number of synthetic users")
        parser.add_argument("--url", help="a running server; by default the command starts one")
        parser.add_argument("--arms", nargs=2, metavar="ENSEMBLE", help="the first two gender ensembles by default")

    def measure(self, args: Any) -> Measurement:
        arms = args.arms or list(gender_ensembles().values())[:2]
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            file = args.data or write_users(args.users, AvatarPool(), builtin_names(), folder, UNSEEN + args.seed)
            users = read_users(file)
            url = args.url or f"grpc://{stack.enter_context(running_gender_models()).grpc_url}"
            try:
                client = stack.enter_context(Client(url))
            except ValueError as exc:
                raise MeasurementError(f"--url: {exc}") from exc
            rows = shadow(client, users, file.parent, arms, args.seed)
        analysis = analyze(rows, arms, args.seed)
        source = args.data.name if args.data else "synthetic"
        return Measurement(pd.DataFrame(), {**analysis, "data": source})

    def table(self, measurement: Measurement) -> str:
        return table(measurement.metadata)

    def chart(self, measurement: Measurement) -> Figure:
        return chart(measurement.metadata)

    def write_extras(self, measurement: Measurement, folder: Path) -> None:
        write_page(measurement.metadata, folder / f"{self.name}.html")


def read_users(file: Path) -> pd.DataFrame:
    """Read the columns `nickname`, `avatar` and `gender` of a CSV; unknown values are empty.

    Raises:
        UsersError: The file is missing or empty, lacks a column, or has an unknown gender or a missing avatar.
    """
    if not file.is_file():
        raise UsersError(f"expected a CSV with the columns nickname, avatar and optionally gender; no file {file}")
    users = pd.read_csv(file, dtype=str, keep_default_na=False)
    if missing := {"nickname", "avatar"} - set(users):
        columns = ", ".join(sorted(missing))
        raise UsersError(f"{file}: expected the columns nickname, avatar and optionally gender; {columns} is missing")
    users = users.assign(gender=users.get("gender", ""))
    if users.empty:
        raise UsersError(f"{file}: expected at least one user, got none")
    for row, (avatar, gender) in enumerate(zip(users["avatar"], users["gender"], strict=True)):
        if gender not in (*LABELS, ""):
            raise UsersError(f"{file}, row {row}: expected the gender {', '.join(LABELS)} or nothing, got {gender!r}")
        if avatar and not (file.parent / avatar).is_file():
            raise UsersError(f"{file}, row {row}: expected a path relative to the CSV; no avatar {avatar}")
    return users[["nickname", "avatar", "gender"]]


def shadow(client: Client, users: pd.DataFrame, folder: Path, arms: Sequence[str], seed: int) -> pd.DataFrame:
    """Send every user to both arms in random order; returns one row per user.

    Columns: `gender`; `first`, the index of the arm that was asked first; and for arm i `p_female_i` (NaN if it
    failed), `predicted_i`, `ms_i` and `error_i` (the class of the error, or empty).
    """
    for arm in arms:
        for _ in range(WARM_UP):
            client.predict(nickname="warm", model=arm)

    def both(row: int) -> dict[str, Any]:
        user, order = users.iloc[row], list(range(len(arms)))
        Random(f"{seed}/{row}").shuffle(order)
        avatar = (folder / user["avatar"]).read_bytes() if user["avatar"] else None
        answers = [_predict(client, index, arms[index], avatar, user["nickname"]) for index in order]
        return {"gender": user["gender"], "first": order[0], **answers[0], **answers[1]}

    return pd.DataFrame([both(row) for row in range(len(users))])


def _predict(client: Client, index: int, model: str, avatar: bytes | None, nickname: str) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        prediction = client.predict(avatar=avatar, nickname=nickname, model=model)
        values = {"p_female": prediction.probabilities.female, "predicted": prediction.gender, "error": ""}
    except GenderClientError as exc:
        values = {"p_female": float("nan"), "predicted": "", "error": type(exc).__name__}
    values["ms"] = 1000 * (time.perf_counter() - start)
    return {f"{name}_{index}": value for name, value in values.items()}
