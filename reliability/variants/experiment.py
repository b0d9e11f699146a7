"""Variants as an experiment: which spellings, files, types and tables give the prediction of the canonical one."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from genderclient import Client, User
from genderclient.tables import ClientSettings, Columns, TableJob
from genderprep import prepare_image, prepare_text
from perf.load.served import gender_ensembles, running_gender_models
from perf.report.experiment import Experiment, Goal, Measurement
from perf.report.markdown import table
from perf.report.runner import positive

from .arguments import argument_pairs
from .nicknames import pairs
from .pictures import PicturePair, picture_pairs
from .tables import TableFile, table_files, users

TOLERANCE: Final = 1e-6
TIMEOUT_S: Final = 60.0


class Trial(NamedTuple):
    """One variant: whether it is read like its canonical form, and the largest difference of P(female), NaN if none."""

    input: str
    kind: str
    same: bool
    difference: float


class Variants(Experiment):
    """Send nicknames, pictures, arguments and tables as people write them, each beside its canonical form."""

    name = "variants"
    title = "Inputs as they arrive"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--per-kind", type=positive, default=100, help="nicknames and pictures of each kind")

    def measure(self, args: Any) -> Measurement:
        with running_gender_models() as server, TemporaryDirectory() as name:
            url, folder = f"grpc://{server.grpc_url}", Path(name)
            trials = pd.DataFrame(
                [
                    *_nicknames(url, args.seed, args.per_kind),
                    *_pictures(url, args.seed, args.per_kind),
                    *_arguments(url, args.seed, folder),
                    *_tables(url, args.seed, folder),
                ]
            )
        trials["right"] = trials["same"] & (trials["difference"] <= TOLERANCE)
        kinds = trials.groupby(["input", "kind"], sort=False).agg(
            tried=("right", "size"), right=("right", "sum"), difference=("difference", "max")
        )
        # No result file holds a nickname or a picture.
        return Measurement(pd.DataFrame(), {"kinds": kinds.reset_index().to_dict("records")})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        kinds = pd.DataFrame(measurement.metadata["kinds"])
        wrong = int((kinds["tried"] - kinds["right"]).sum())
        yield Goal(
            "variants are read like the canonical form", f"{wrong} of {kinds['tried'].sum():,} are not", wrong == 0
        )
        worst = float(kinds["difference"].max())
        yield Goal(f"probabilities of a pair differ by at most {TOLERANCE:g}", f"{worst:.1e}", worst <= TOLERANCE)

    def table(self, measurement: Measurement) -> str:
        columns = {
            "input": "{input}",
            "kind": "{kind}",
            "tried": "{tried}",
            "right": "{right}",
            "largest difference of P(female)": "{difference:.1e}",
        }
        return f"""\
Each variant is an input as it may arrive, beside the one that it stands for. It is right if both have the same tokens
or pixels, or the SDK reads both, and if P(female) on a live Triton differs by at most {TOLERANCE:g} for all backbones.
`lookalike` only looks like markup and has to stay as it is. A default avatar counts as missing; drawings on white and
portraits in gray must not. A table is right if every row is.

{table(measurement.metadata["kinds"], columns)}"""


def _nicknames(url: str, seed: int, per_kind: int) -> Iterator[Trial]:
    tried = pairs(seed, per_kind)
    users = [(User(nickname=pair.variant), User(nickname=pair.canonical)) for pair in tried]
    for pair, difference in zip(tried, _differences(url, lambda: users), strict=True):
        yield Trial("nickname", pair.kind, _tokens(pair.variant) == _tokens(pair.canonical), difference)


def _pictures(url: str, seed: int, per_kind: int) -> Iterator[Trial]:
    tried = picture_pairs(seed, per_kind)
    users = [(User(avatar=pair.variant), User(avatar=pair.canonical)) for pair in tried]
    for pair, difference in zip(tried, _differences(url, lambda: users), strict=True):
        yield Trial("picture", pair.kind, _is_read_alike(pair), difference)


def _arguments(url: str, seed: int, folder: Path) -> Iterator[Trial]:
    def users() -> list[tuple[User, User]]:
        return [(pair.variant, pair.canonical) for pair in argument_pairs(seed, folder)]

    for pair, difference in zip(argument_pairs(seed, folder), _differences(url, users), strict=True):
        yield Trial("argument", pair.kind, not np.isnan(difference), difference)


def _tables(url: str, seed: int, folder: Path) -> Iterator[Trial]:
    models = gender_ensembles().values()
    expected = {model: _predict(url, model, users(seed)) for model in models}
    for file in table_files(seed):
        scores = {model: _score(url, model, file, folder) for model in models}
        same = all(len(scores[model]) == len(expected[model]) for model in models)
        difference = max(np.abs(scores[model] - expected[model]).max() for model in models) if same else np.nan
        yield Trial("table", file.kind, same, difference)


def _score(url: str, model: str, file: TableFile, folder: Path) -> Any:
    """P(female) of the rows that are scored, [N]."""
    table, output = folder / f"users{file.suffix}", folder / "scores.jsonl"
    table.write_bytes(file.content)
    settings = ClientSettings(url=url, model=model, timeout_s=TIMEOUT_S)
    TableJob(table, output, Columns(), settings, overwrite=True, encoding=file.encoding).run(concurrency=4)
    return np.array([json.loads(line)["female"] for line in output.read_text(encoding="utf-8").splitlines()])


def _differences(url: str, make: Callable[[], Sequence[tuple[User, User]]]) -> Any:
    """The largest difference of P(female) of each pair over all backbones, [N]; NaN if one has no prediction.

    Each backbone gets new pairs, because a stream can be read only once.
    """
    by_model = []
    for model in gender_ensembles().values():
        variants, canonicals = zip(*make(), strict=True)
        by_model.append(np.abs(_predict(url, model, variants) - _predict(url, model, canonicals)))
    return np.max(by_model, axis=0)


def _predict(url: str, model: str, users: Iterable[User]) -> Any:
    """P(female), [N]; NaN for an error."""
    with Client(url, model=model, timeout_s=TIMEOUT_S) as client:
        predictions = (scored.prediction for scored in client.predict_many(users))
        return np.array([each.probabilities.female if each else np.nan for each in predictions])


def _tokens(nickname: str) -> bytes:
    return prepare_text(nickname.encode())[0].tobytes()


def _is_read_alike(pair: PicturePair) -> bool:
    (variant, is_present), (canonical, expected) = prepare_image(pair.variant), prepare_image(pair.canonical)
    return is_present == bool(pair.canonical) == expected and (not expected or np.array_equal(variant, canonical))
