"""Train the nickname baseline, FastText (Joulin et al., 2016, arXiv 1607.01759), over n-grams of graphemes.

    python -m training.gender.fasttext --data runs/data/nicknames.csv --out runs/fasttext

A linear layer turns the mean embedding of a nickname's hashed n-grams into the logit of P(female). Writes a run like
`training.gender.train`, and evaluates it.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd

from ..data.augmentation import Augmentation
from ..data.labels import add_label_map
from ..data.manifest import ManifestError
from .config import Config, ConfigError
from .evaluate import evaluate
from .train import train

CONFIG: Final = Config(
    backbone="",
    max_ngram=3,
    epochs=10,
    batch=128,
    learning_rate=1e-2,
    label_smoothing=0.0,
    augmentation=Augmentation(drop_token=0.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL, Parquet or a folder of Parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    parser.add_argument("--seed", type=int, default=1)
    add_label_map(parser)
    args = parser.parse_args()
    try:
        config = replace(CONFIG, seed=args.seed).with_label_map(args.label_map)
        train(config, args.data, args.out)
        print(pd.DataFrame(evaluate(args.out, args.data, "test")).T.to_string())
    except (ManifestError, ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"fasttext: {exc}") from exc


if __name__ == "__main__":
    main()
