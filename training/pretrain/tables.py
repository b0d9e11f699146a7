r"""Compare embeddings of drawn cards, row by row of article 001's tables.

    python -m training.synthetic.cards --out runs/cards
    python -m training.synthetic.cards --first 7000 --count 1000 --variations 2 --out runs/cards_test
    python -m training.pretrain.run --config training/pretrain/configs/served.py --weights MOBILENETV2.npz \
        --data runs/pictures/pictures.csv --out runs/dual_encoder
    python -m training.pretrain.tables --data runs/cards/cards.csv --test runs/cards_test/cards.csv --out runs/tables \
        --served runs/dual_encoder --imagenet MOBILENETV2.npz --real runs/pictures/pictures.csv --results results

Pretrains each method once per seed, and writes `pictures.{json,md,png}` and `pictures_map.png` to `--results`. Repeat
the command to resume: prepared pictures, finished epochs, runs and rows are kept in `--out`. With `--methods`, only
some methods are pretrained; the report says which rows are missing.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd

from figures.save import save

from ..arrays import FloatsN, FloatsND
from ..data.bad_rows import ManifestError
from ..engine.errors import ConfigError
from ..engine.kept import kept
from ..evaluation.intervals import estimate
from ..report import read_run, write_report
from . import tables_figure
from .article import FINE_TUNING, IMAGENET, comparisons, repeat, whitened
from .card_map import place_cards
from .collapse import CollapseError
from .measures import PROBE, PROBED, Embeddings, chances, measure
from .methods import Config
from .pictures import Pictures
from .probe import FineTuning, Labels, few_labels, fine_tune
from .real_pictures import measure_collections
from .rows import METHODS, SERVED, Cards, Row, rows, trunk
from .tables_markdown import describe

BATCH: Final = 64
_LABELED: Final = 10

Values = dict[str, FloatsND]


def measure_row(row: Row, cards: Cards, folder: Path) -> tuple[Values, Values]:
    """Return the values of a row and of its whitened twin: for each column one per seed and test picture, `[S, M]`.

    Fine-tuning is a column of the row only. What each seed gives is kept in `folder` for the same encoder and pictures.
    """
    seeds = []
    for number, load in enumerate(row.encoders):
        encoder = load()
        computed_from = _digest(encoder, cards.train_at(row.size), cards.test_at(row.size))
        compute = partial(_measure_seed, row, number, encoder, cards)
        seeds.append(kept(folder / f"{row.name}_{number}.npz", computed_from, compute))
    plain, white = ([_without_prefix(seed, prefix) for seed in seeds] for prefix in ("plain/", "whitened/"))
    return _stack(plain), _stack(white)


def _measure_seed(row: Row, number: int, encoder: keras.Model, cards: Cards) -> dict[str, FloatsN]:
    train, test = cards.train_at(row.size), cards.test_at(row.size)
    plain = Embeddings(row.embed(encoder, train), row.embed(encoder, test))
    values = {
        f"{prefix}{column}": each
        for prefix, embeddings in (("plain/", plain), ("whitened/", plain.whitened()))
        for column, each in measure(embeddings, train.table, test.table).items()
    }
    if row.fine_tuned:
        few = train.rows(few_labels(train.table[PROBED].to_numpy(), _LABELED, seed=number))
        predicted = fine_tune(
            trunk(encoder), few.pixels, few.table[PROBED].to_numpy(), test.pixels, FineTuning(seed=number)
        )
        values[f"plain/{FINE_TUNING}"] = (predicted == test.table[PROBED].to_numpy()).astype(float)
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest of the cards to pretrain on")
    parser.add_argument("--test", type=Path, required=True, help="manifest of other cards, each drawn twice")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs and the measured rows")
    parser.add_argument(
        "--results", type=Path, required=True, help="folder for pictures.{json,md,png} and pictures_map.png"
    )
    parser.add_argument("--imagenet", type=Path, help="npz of MobileNetV2 that the methods start from; a row")
    parser.add_argument("--served", type=Path, help="run of the served dual encoder: a row, and the map")
    parser.add_argument("--real", type=Path, nargs="+", default=[], help="manifests of pictures that were not drawn")
    parser.add_argument("--size", type=int, default=64, help="pixels; default: %(default)s")
    parser.add_argument("--epochs", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--methods", nargs="*", choices=METHODS.values(), default=list(METHODS.values()))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="default: 1 2 3")
    args = parser.parse_args()
    width = 1.0 if args.imagenet else 0.5
    config = Config("", size=args.size, epochs=args.epochs, batch=BATCH, width=width)
    cards = Cards(args.data, args.test, args.out / "pictures")
    try:
        table = list(rows(config, args.methods, tuple(args.seeds), cards, args.out, args.imagenet, args.served))
        values: dict[str, Values] = {}
        for row in table:
            values[row.name], values[whitened(row.name)] = measure_row(row, cards, args.out / "rows")
        compared = {row.name: row.encoders[0]() for row in table if args.real and row.name in (IMAGENET, SERVED)}
        real = measure_collections(args.real, compared, args.out / "pictures") if compared else []
    except (ManifestError, ConfigError, CollapseError, FileNotFoundError) as exc:
        raise SystemExit(f"tables: {exc}") from exc
    runs = {
        name: [read_run(args.out / f"{method}_{seed}") for seed in args.seeds]
        for name, method in METHODS.items()
        if name in values
    }
    if args.served:
        runs[SERVED] = [read_run(args.served)]
    test = cards.test_at(config.size).table
    report = {
        "config": {**asdict(config), "method": [METHODS[name] for name in runs if name in METHODS], "seed": args.seeds},
        "pictures": {"train": len(cards.train_at(config.size)), "test": len(test), "labeled": _LABELED},
        "sizes": {row.name: row.size for row in table},
        "chance": {**chances(test), FINE_TUNING: chances(test)[PROBE]},
        "rows": summarize(values, test["card"].to_numpy()),
        "comparisons": repeat_article(values, test["card"].to_numpy()),
        "runs": {name: [summary_of(run) for run in reports] for name, reports in runs.items()},
        "real": [each for each in real if each["collection"] != args.data.stem],
        "map": place_cards(next((row for row in table if row.name == SERVED), table[-1]), cards),
    }
    args.results.mkdir(parents=True, exist_ok=True)
    write_report(args.results / "pictures.json", **report)
    (args.results / "pictures.md").write_text(describe(report), encoding="utf-8")
    save(partial(tables_figure.chart, report), args.results / "pictures.png")
    save(partial(tables_figure.card_map, report), args.results / "pictures_map.png")


def summarize(values: Mapping[str, Values], cards: Labels) -> dict[str, dict[str, dict[str, float]]]:
    """Return value and interval of each row and column, over seeds and test cards."""
    return {
        row: {column: _estimate(each, cards) for column, each in columns.items()} for row, columns in values.items()
    }


def repeat_article(values: Mapping[str, Values], cards: Labels) -> list[dict[str, Any]]:
    """Repeat the article's comparisons whose rows were measured."""
    repetitions = [repeat(comparison, values, cards) for comparison in comparisons()]
    return [
        {**asdict(each.comparison), **each.ours.rounded("ours"), "verdict": each.verdict}
        for each in repetitions
        if each is not None
    ]


def _estimate(values: FloatsND, cards: Labels) -> dict[str, float]:
    return estimate(lambda rows: values[:, rows].mean(axis=1), cards).rounded("value")


def summary_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table reports of a run: its config, processor time, and consistency after each epoch."""
    history = pd.DataFrame(run["history"])
    return {
        "config": run["config"],
        "pictures": run["pictures"],
        "weights": run.get("weights"),
        "cpu_seconds_per_epoch": round(float(history["cpu_seconds"].median()), 1) if "cpu_seconds" in history else None,
        "loss": history["loss"].round(4).tolist(),
        "theme_consistency": history["theme_consistency"].round(4).tolist(),
        "style_consistency": history["style_consistency"].round(4).tolist(),
    }


def _digest(encoder: keras.Model, *pictures: Pictures) -> str:
    """Return the SHA-256 of an encoder's weights and of pictures."""
    digest = sha256()
    for array in [*encoder.get_weights(), *(each.pixels for each in pictures)]:
        digest.update(array.tobytes())
    return digest.hexdigest()


def _without_prefix(values: dict[str, FloatsN], prefix: str) -> dict[str, FloatsN]:
    return {name.removeprefix(prefix): each for name, each in values.items() if name.startswith(prefix)}


def _stack(seeds: list[dict[str, FloatsN]]) -> Values:
    return {column: np.stack([values[column] for values in seeds]) for column in seeds[0]}


if __name__ == "__main__":
    main()
