"""Variants as an experiment: which spellings of a nickname give the prediction of the canonical one."""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from tritonclient.grpc import InferenceServerClient, InferInput

from genderprep import prepare_text
from genderprep.tensors import AVATAR, NICKNAME, PROBABILITIES
from perf.load.served import REPOSITORY, gender_ensembles
from perf.report.experiment import Experiment, Goal, Measurement, records
from perf.report.markdown import table
from perf.report.runner import positive
from server.launch.process import Server, running_triton

from .nicknames import Pair, pairs

BATCH: Final = 32
TOLERANCE: Final = 1e-6


class Variants(Experiment):
    """Send nicknames as web pages, databases, phones and chat programs write them, beside their canonical form."""

    name = "variants"
    title = "Nicknames as they arrive"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--per-kind", type=positive, default=200, help="pairs of each kind")

    def measure(self, args: Any) -> Measurement:
        tried = pairs(args.seed, args.per_kind)
        rows = pd.DataFrame(tried, columns=["kind", "variant", "canonical"])
        rows["same_tokens"] = [_tokens(pair.variant) == _tokens(pair.canonical) for pair in tried]
        with running_triton(REPOSITORY) as server:
            rows["difference"] = _differences(server, tried)
        by_kind = rows.groupby("kind", sort=False).agg(
            pairs=("variant", "size"), same_tokens=("same_tokens", "sum"), difference=("difference", "max")
        )
        # No result file holds a nickname.
        return Measurement(pd.DataFrame(), {"kinds": records(by_kind.reset_index())})

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        kinds = pd.DataFrame(measurement.metadata["kinds"])
        wrong = int((kinds["pairs"] - kinds["same_tokens"]).sum())
        figure = f"{wrong} of {kinds['pairs'].sum():,} differ"
        yield Goal("variants give the tokens of the canonical form", figure, wrong == 0)
        worst = float(kinds["difference"].max())
        yield Goal(f"probabilities of a pair differ by at most {TOLERANCE:g}", f"{worst:.1e}", worst <= TOLERANCE)

    def table(self, measurement: Measurement) -> str:
        columns = {
            "kind": "{kind}",
            "pairs": "{pairs}",
            "same tokens": "{same_tokens}",
            "largest difference of P(female)": "{difference:.1e}",
        }
        return f"""\
Each pair is a nickname as it may arrive and the nickname that it stands for. Tokens are compared in process, and
probabilities on a live Triton, over all backbones. `lookalike` only looks like markup and has to stay as it is.

{table(measurement.metadata["kinds"], columns)}"""


def _tokens(nickname: str) -> bytes:
    return prepare_text(nickname.encode())[0].tobytes()


def _differences(server: Server, tried: Sequence[Pair]) -> Any:
    """The largest difference of P(female) over all backbones, for each pair, [N]."""
    variants, canonicals = [pair.variant for pair in tried], [pair.canonical for pair in tried]
    with InferenceServerClient(server.grpc_url) as client:
        differences = [
            np.abs(_predict(client, model, variants) - _predict(client, model, canonicals))
            for model in gender_ensembles().values()
        ]
    return np.max(differences, axis=0)


def _predict(client: InferenceServerClient, model: str, nicknames: Sequence[str]) -> Any:
    """P(female) of users without an avatar, [N]."""
    batches = (nicknames[start : start + BATCH] for start in range(0, len(nicknames), BATCH))
    return np.concatenate([_infer(client, model, batch) for batch in batches])


def _infer(client: InferenceServerClient, model: str, nicknames: Sequence[str]) -> Any:
    inputs = []
    for name, values in ((AVATAR, [b""] * len(nicknames)), (NICKNAME, [nickname.encode() for nickname in nicknames])):
        column = np.array(values, np.object_).reshape(-1, 1)
        tensor = InferInput(name, list(column.shape), "BYTES")
        tensor.set_data_from_numpy(column)
        inputs.append(tensor)
    return client.infer(model, inputs).as_numpy(PROBABILITIES)[:, 1]
