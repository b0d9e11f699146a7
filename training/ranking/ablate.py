r"""Ablation: train every row of the article in a preference world and compare it with the exact ceilings.

    python -m training.ranking.ablate --cards CARDS.csv --vectors VECTORS.npy --profiles runs/profiles.npz \
        --imagenet IMAGENET.npy --out runs/ranking

Writes `results/ranking.{json,md,png}`. A run takes about half a minute of one core; set OMP_NUM_THREADS=1 and
TF_NUM_INTRAOP_THREADS=1. Rows are trained seed by seed. If you repeat the command, finished runs of the same config and
data are kept; after a change of code, take another `--out`. The results always include all finished runs; `--seeds 0`
only writes them.
"""

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from figures.save import save

from ..arrays import Arrays, BoolsN, FloatsNK
from ..data.bad_rows import ManifestError
from ..data.tables import read_array
from ..engine.kept import kept, read_kept
from ..report import write_report
from .ablation_data import TEST, Data, ceilings, prepare
from .ablation_report import chart, markdown
from .ablation_results import content
from .ablation_rows import ROWS, SESSIONS, Row
from .config import Config
from .examples import Examples
from .fit import calibrate, fit, picture_table, predict_logits
from .model import Ranker
from .prerank import two_tower_model
from .train import PRERANK
from .warm_start import set_weights, weights_of
from .world import read_cards

RESULTS: Final = Path(__file__).parents[2] / "results"
SEEDS: Final = 5
# Users for whom all pictures of the day are ranked, for coverage and Gini.
_LISTS: Final = 150
_CHUNK: Final = 10


def run(row: Row, seed: int, data: Data, out: Path) -> dict[str, Any]:
    """Train a row and return what is stored of it: the calibrated logits [N, S] of the measured sessions, and lists."""
    started, past, known = time.process_time(), data.past, np.append(False, data.seen)
    keras.utils.set_random_seed(seed)
    config = replace(row.config or PRERANK, seed=seed)
    table = data.table(row)
    assert table is not None
    if row.config is None:
        ranker, model = None, two_tower_model(table, row.ids, row.pictures)
    else:
        ranker = Ranker(config, table.shape[1])
        model = ranker.training_model(table)
    if row.warm:
        set_weights(model, _yesterday(config, data, out), row.warm == "full")
    losses = fit(model, config, past, known)
    slope, offset = calibrate(ranker, predict_logits(model, data.calibration, known), data.calibration)
    logits = predict_logits(model, data.examples.rows(data.measured), known)
    return {
        "logits": logits if ranker else slope * logits + offset,
        "lists": _lists(model, data, known),
        "losses": np.array(losses),
        "calibration": np.array([slope, offset]),
        "cpu_s": np.array(time.process_time() - started),
    }


def train_all(rows: list[Row], seeds: int, data: Mapping[int, Data], out: Path) -> None:
    """Train what is not finished, seed by seed. The data is by the number of sessions that train."""
    for seed in range(1, seeds + 1):
        for row in rows:
            of_row = data[row.sessions]
            if of_row.table(row) is not None:
                kept(*_place(row, seed, of_row, out), partial(_run_and_say, row, seed, of_row, out))


def finished_runs(rows: Sequence[Row], data: Mapping[int, Data], out: Path) -> dict[str, dict[int, Arrays]]:
    """Return the stored runs by row and seed."""
    return {row.name: runs for row in rows if (runs := dict(_stored(row, data[row.sessions], out)))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=Path, required=True, help="manifest of training.synthetic.cards")
    parser.add_argument("--vectors", type=Path, required=True, help="npy with the gallery's vector of each card")
    parser.add_argument("--imagenet", type=Path, help="npy with vectors of a network of ImageNet")
    parser.add_argument("--profiles", type=Path, help="npz of training.ranking.profiles; default: surrogates")
    parser.add_argument("--rows", nargs="+", help="names of the rows to train; default: all")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished runs")
    args = parser.parse_args()
    try:
        imagenet = read_array(args.imagenet) if args.imagenet else None
        cards, vectors = read_cards(args.cards), read_array(args.vectors)
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"ablate: {exc}") from exc
    data = {
        sessions: prepare(cards, vectors, imagenet, args.profiles, (sessions, TEST))
        for sessions in {row.sessions for row in ROWS}
    }
    args.out.mkdir(parents=True, exist_ok=True)
    train_all([row for row in ROWS if row.name in (args.rows or row.name)], args.seeds, data, args.out)
    measured = data[SESSIONS]
    results = content(measured, ceilings(measured), finished_runs(ROWS, data, args.out), SEEDS)
    results["vectors"] = args.vectors.resolve().name
    write_report(RESULTS / "ranking.json", **results)
    (RESULTS / "ranking.md").write_text(markdown(results), encoding="utf-8")
    save(partial(chart, results), RESULTS / "ranking.png")
    print(RESULTS / "ranking.md")


def _run_and_say(row: Row, seed: int, data: Data, out: Path) -> dict[str, Any]:
    finished = run(row, seed, data, out)
    print(f"{row.name}, seed {seed}: losses {finished['losses'].round(4)}, {finished['cpu_s']:.0f} s", flush=True)
    keras.backend.clear_session()
    return finished


def _yesterday(config: Config, data: Data, out: Path) -> dict[str, Any]:
    """Return the weights of yesterday's model, which has not seen the last day of training."""

    def train() -> dict[str, Any]:
        past = data.past
        earlier = past.rows(past.days < past.days.max())
        table = picture_table(data.setting.vectors)
        model = Ranker(config, table.shape[1]).training_model(table)
        fit(model, config, earlier, earlier.seen(len(table) - 1))
        return weights_of(model)

    computed_from = f"{config} {data.digest} {_sha256(data.setting.vectors)}"
    return kept(out / f"yesterday_{config.seed}.npz", computed_from, train)


def _lists(model: keras.Model, data: Data, known: BoolsN) -> Any:
    """Return the ten best of all pictures of the last day for some users, as rows of the table, [_LISTS, 10]."""
    active = data.setting.stock.active(data.setting.stock.last_day) + 1
    users = data.examples.rows(np.flatnonzero(data.measured)[:_LISTS])
    priors = np.full(len(known), 0.5, np.float32)
    priors[users.candidates] = users.priors
    chunks = [users.rows(np.arange(start, start + _CHUNK)) for start in range(0, len(users), _CHUNK)]
    return np.concatenate(
        [active[np.argsort(-_scores(model, chunk, active, priors, known))[:, :10]] for chunk in chunks]
    )


def _scores(model: keras.Model, users: Examples, active: Any, priors: Any, known: BoolsN) -> FloatsNK:
    candidates = np.tile(active, (len(users), 1)).astype(np.int32)
    everything = replace(users, candidates=candidates, priors=priors[candidates], liked=np.zeros(candidates.shape))
    return predict_logits(model, everything, known)


def _stored(row: Row, data: Data, out: Path) -> Iterator[tuple[int, Arrays]]:
    for seed in range(1, 100):
        if data.table(row) is not None and (arrays := read_kept(*_place(row, seed, data, out))) is not None:
            yield seed, arrays


def _place(row: Row, seed: int, data: Data, out: Path) -> tuple[Path, str]:
    """Return the file of a run, and what it is computed from: all that the row says but its names, and the data."""
    slug = "".join(letter if letter.isalnum() else "_" for letter in row.name)
    trained = replace(row, name="", article="", knowledge="", config=row.config or PRERANK)
    return out / f"{slug}_{seed}.npz", f"{trained} {data.digest} {_sha256(data.table(row))}"


def _sha256(array: Any) -> str:
    return sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


if __name__ == "__main__":
    main()
