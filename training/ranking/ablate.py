r"""Ablation: train every row of the article in a preference world and compare it with the exact ceilings.

    python -m training.ranking.ablate --cards CARDS.csv --vectors VECTORS.npy --profiles runs/profiles.npz \
        --imagenet IMAGENET.npy --out runs/ranking

Writes `results/ranking.{json,md,png}`. A run takes about half a minute of one core; set OMP_NUM_THREADS=1 and
TF_NUM_INTRAOP_THREADS=1. Rows are trained seed by seed. If you repeat the command, finished runs are kept. The results
always include all finished runs; `--seeds 0` only writes them.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from figures.save import save

from ..arrays import BoolsN, FloatsNK
from ..report import write_report
from .ablation_data import TEST, TRAIN, Data, ceilings, prepare
from .ablation_report import chart, markdown
from .ablation_results import content
from .ablation_rows import ROWS, Row
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


def train_all(rows: list[Row], seeds: int, data: Data, out: Path) -> None:
    """Train what is not finished, seed by seed."""
    for seed in range(1, seeds + 1):
        for row in rows:
            file = out / f"{_slug(row)}_{seed}.npz"
            if file.is_file() or data.table(row) is None:
                continue
            finished = run(row, seed, data, out)
            np.savez_compressed(file, **finished)
            print(
                f"{row.name}, seed {seed}: losses {finished['losses'].round(4)}, {finished['cpu_s']:.0f} s", flush=True
            )
            keras.backend.clear_session()


def finished_runs(rows: list[Row], out: Path) -> dict[str, dict[int, dict[str, Any]]]:
    """Return the stored runs by row and seed."""
    return {row.name: runs for row in rows if (runs := dict(_stored(row, out)))}


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
    imagenet = np.load(args.imagenet) if args.imagenet else None
    data = prepare(read_cards(args.cards), np.load(args.vectors), imagenet, args.profiles, (TRAIN, TEST))
    args.out.mkdir(parents=True, exist_ok=True)
    train_all([row for row in ROWS if row.name in (args.rows or row.name)], args.seeds, data, args.out)
    results = content(data, ceilings(data), finished_runs(list(ROWS), args.out), SEEDS)
    results["vectors"] = args.vectors.resolve().name
    write_report(RESULTS / "ranking.json", **results)
    (RESULTS / "ranking.md").write_text(markdown(results), encoding="utf-8")
    save(partial(chart, results), RESULTS / "ranking.png")
    print(RESULTS / "ranking.md")


def _yesterday(config: Config, data: Data, out: Path) -> dict[str, Any]:
    """Return the weights of yesterday's model, which has not seen the last day of training."""
    file = out / f"yesterday_{config.seed}.npz"
    if not file.is_file():
        past = data.past
        earlier = past.rows(past.days < past.days.max())
        table = picture_table(data.setting.vectors)
        model = Ranker(config, table.shape[1]).training_model(table)
        fit(model, config, earlier, earlier.seen(len(table) - 1))
        np.savez(file, **weights_of(model))
    with np.load(file) as weights:
        return dict(weights)


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


def _stored(row: Row, out: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for seed in range(1, 100):
        file = out / f"{_slug(row)}_{seed}.npz"
        if file.is_file():
            with np.load(file) as arrays:
                yield seed, dict(arrays)


def _slug(row: Row) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in row.name)


if __name__ == "__main__":
    main()
