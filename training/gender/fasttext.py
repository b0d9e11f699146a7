"""The baseline that sees the nickname alone: FastText over hashed n-grams of graphemes.

    python -m training.gender.fasttext --data runs/data/nicknames.csv --out runs/fasttext

Joulin et al., 2016, arXiv 1607.01759, in numpy: a nickname is the mean of the embeddings of its features, and
a linear output turns that mean into the logit of P(female). `--raw` makes the whole nickname one feature, which
is what FastText's defaults do to names without spaces: it remembers nicknames and learns nothing about new ones.
Below `--out`: `model.npz` (the learning rate that is best on validation), `report.json`.

60,000 nicknames of `training.synthetic.synthesize --names` take 15 s on two cores: 71 % on test, where 75 % is what
the posteriors allow, and 56 % with `--raw`.
"""

import argparse
import json
import math
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genderprep import prep_digest
from genderprep.tensors import MAX_TOKENS
from genderprep.text import emoji_key, is_missing, segment

from ..data.manifest import SPLITS, ManifestError, read_manifest
from ..evaluation.metrics import Summary, summary
from ..report import write_report
from .config import ConfigError

# The grid of the paper.
LEARNING_RATES: Final = (0.05, 0.1, 0.25, 0.5)

# The ends of a nickname; control characters, since genderprep lets none of them through.
START: Final = "\x02"
END: Final = "\x03"

# The feature that fills a row; its embedding stays zero.
_NOTHING: Final = 0
_LEAST_PRIOR: Final = 1e-6

Floats = NDArray[np.floating[Any]]
Features = NDArray[np.int32]


@dataclass(frozen=True)
class FastTextConfig:
    """One run; `dim` and `epochs` as in the paper. Each of the `batch` users of a step moves by the full rate."""

    longest: int = 3
    raw: bool = False
    buckets: int = 2**20
    dim: int = 10
    epochs: int = 5
    batch: int = 16
    learning_rate: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("longest", "buckets", "dim", "epochs", "batch", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


class FastText:
    """Embeddings [1 + buckets, dim], output weights [dim], and the prior for nicknames that say nothing."""

    def __init__(self, config: FastTextConfig) -> None:
        dice = np.random.default_rng(config.seed)
        self.config = config
        self.embeddings = dice.random((1 + config.buckets, config.dim), np.float32) * 2 / config.dim - 1 / config.dim
        self.embeddings[_NOTHING] = 0
        self.output = np.zeros(config.dim, np.float32)
        self.prior_female = 0.5

    def fit(self, nicknames: Iterable[str], female: NDArray[Any], weights: NDArray[Any] | None = None) -> Self:
        """Learn from labels [N] (1 = female) and weights [N] (1 if absent) with a rate that falls linearly to 0.

        Raises:
            ValueError: nobody to learn from, or not one label and weight for each nickname.
        """
        features = encode(nicknames, self.config)
        weights = np.ones(len(features)) if weights is None else np.asarray(weights, float)
        labels = np.asarray(female, float)
        _check_users(len(features), labels, weights)
        self.prior_female = float(np.average(labels, weights=weights))
        batches = batches_of(len(features), self.config)
        for number, rows in enumerate(batches):
            rate = self.config.learning_rate * (1 - number / len(batches))
            self._step(features[rows], labels[rows], weights[rows], rate)
        return self

    def predict(self, nicknames: Iterable[str]) -> NDArray[np.float64]:
        """P(female) of each nickname, [N]; the prior where genderprep sees no nickname."""
        scores = self.embeddings @ self.output[:, None]
        logits = mean_embedding(scores, encode(nicknames, self.config))[:, 0]
        return _probability(logits + _logit(self.prior_female))

    def save(self, file: Path) -> None:
        """Write config, prior and weights as one npz."""
        with file.open("wb") as handle:
            np.savez(
                handle,
                config=np.array(json.dumps(asdict(self.config))),
                prior_female=np.array(self.prior_female),
                embeddings=self.embeddings,
                output=self.output,
            )

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ConfigError: not a file of `save`.
        """
        try:
            with np.load(file) as stored:
                model = cls(FastTextConfig(**json.loads(str(stored["config"]))))
                model.prior_female = float(stored["prior_female"])
                model.embeddings, model.output = stored["embeddings"], stored["output"]
        except (BadZipFile, EOFError, KeyError, TypeError, ValueError) as exc:
            raise ConfigError(f"{file}: not a model of training.gender.fasttext: {exc}") from exc
        return model

    def _step(self, features: Features, female: Floats, weights: Floats, rate: float) -> None:
        touched, embeddings, output = gradients(
            self.embeddings, self.output, _logit(self.prior_female), features, female, weights
        )
        self.embeddings[touched] -= (rate * embeddings).astype(np.float32)
        self.output -= (rate * output).astype(np.float32)


def batches_of(count: int, config: FastTextConfig) -> list[NDArray[np.int64]]:
    """The rows of each step of all epochs, every epoch in an order of its own."""
    starts = range(config.batch, count, config.batch)
    orders = (np.random.default_rng((config.seed, epoch)).permutation(count) for epoch in range(config.epochs))
    return [rows for order in orders for rows in np.split(order, starts)]


def gradients(
    embeddings: Floats, output: Floats, bias: float, features: Features, female: Floats, weights: Floats
) -> tuple[NDArray[np.int32], Floats, Floats]:
    """Of the weighted sum of log losses of users [B]: the rows it touches [T], their gradient [T, dim], the output's.

    `bias` is a logit that is not learned.
    """
    features = features[:, : _counts(features).max()]
    hidden = mean_embedding(embeddings, features)
    errors = weights * (_probability(hidden @ output + bias) - female)
    shares = np.where(features == _NOTHING, 0, (errors / _counts(features))[:, None])
    touched, places = np.unique(features, return_inverse=True)
    pulls = np.bincount(places.ravel(), shares.ravel())
    return touched, np.outer(pulls, output), errors @ hidden


def mean_embedding(embeddings: Floats, features: Features) -> Floats:
    """The mean over the features of each row [B, F], as [B, dim]; zero for a row without any."""
    total: Floats = embeddings[features].sum(axis=1)
    return total / _counts(features)[:, None]


def encode(nicknames: Iterable[str], config: FastTextConfig) -> Features:
    """Features from 1 to `config.buckets`, padded with 0: int32 [N, F] with F for the longest that genderprep keeps.

    Raises:
        ValueError: one string instead of many.
    """
    if isinstance(nicknames, str):
        raise ValueError(f"nicknames are many strings, got the one {nicknames!r}")
    rows = [[1 + fnv1a(gram.encode()) % config.buckets for gram in grams(name, config)] for name in nicknames]
    features = np.full((len(rows), _most_grams(config)), _NOTHING, np.int32)
    for index, row in enumerate(rows):
        features[index, : len(row)] = row
    return features


def grams(nickname: str, config: FastTextConfig) -> list[str]:
    """`"小宝"` gives, of up to three graphemes, `小`, `宝`, `^小`, `小宝`, `宝$`, `^小宝` and `小宝$`."""
    clusters = graphemes(nickname)
    if not clusters:
        return []
    marked = [START, *clusters, END]
    if config.raw:
        return ["".join(marked)]
    longer = ("".join(marked[i : i + n]) for n in range(2, config.longest + 1) for i in range(len(marked) - n + 1))
    return [*clusters, *longer]


def graphemes(nickname: str) -> list[str]:
    """What genderprep tokenizes, as text: at most 32 visible clusters, emoji without skin tone; none if missing."""
    if is_missing(nickname):
        return []
    clusters = segment(unicodedata.normalize("NFC", nickname))[:MAX_TOKENS]
    return [emoji_key(cluster) or cluster for cluster in clusters]


def fnv1a(data: bytes) -> int:
    """The 32-bit hash of Fowler, Noll and Vo, variant 1a: `b"a"` gives 0xe40c292c."""
    state = 0x811C9DC5
    for byte in data:
        state = (state ^ byte) * 0x01000193 & 0xFFFFFFFF
    return state


def choose(table: pd.DataFrame, config: FastTextConfig) -> tuple[FastText, dict[float, float]]:
    """The model with the best accuracy on validation, and that accuracy by learning rate; a tie goes to the lower."""
    train, validation = (_rows(table, split) for split in ("train", "validation"))
    models = {rate: _fitted(train, replace(config, learning_rate=rate)) for rate in LEARNING_RATES}
    accuracies = {rate: float(_measure(model, validation)["accuracy"]) for rate, model in models.items()}
    return models[max(accuracies, key=lambda rate: accuracies[rate])], accuracies


def run(manifest: Path, out: Path, config: FastTextConfig) -> dict[str, Summary]:
    """Train, choose the learning rate, write `out`; returns the metrics of validation and test.

    Raises:
        ManifestError: the manifest cannot be used, or a split has no rows.
        FileNotFoundError: no such manifest.
    """
    table = read_manifest(manifest)
    for split in SPLITS:
        if not table.loc[table["split"] == split, "weight"].sum():
            raise ManifestError(f"{manifest}: no rows with a weight in the split {split!r}")
    model, accuracies = choose(table, config)
    results = {split: _measure(model, _rows(table, split)) for split in ("validation", "test")}
    out.mkdir(parents=True, exist_ok=True)
    model.save(out / "model.npz")
    write_report(
        out / "report.json",
        config=model.config,
        manifest=manifest.name,
        prep_digest=prep_digest(),
        prior_female=round(model.prior_female, 4),
        validation_accuracy_by_learning_rate=accuracies,
        **results,
    )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL or Parquet")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--raw", action="store_true", help="the whole nickname as one feature")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        results = run(args.data, args.out, FastTextConfig(raw=args.raw, seed=args.seed))
        print(pd.DataFrame(results).T.to_string())
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"fasttext: {exc}") from exc


def _check_users(count: int, labels: Floats, weights: Floats) -> None:
    if not labels.shape == weights.shape == (count,):
        raise ValueError(f"{count} nicknames need as many labels and weights, got {labels.shape} and {weights.shape}")
    if not weights.sum() > 0:
        raise ValueError("no users to learn from: no weight is above 0")


def _counts(features: Features) -> NDArray[np.int64]:
    """How many features each row has, [B], but 1 for a row without any: what a mean divides by."""
    counts: NDArray[np.int64] = np.maximum(1, np.count_nonzero(features, axis=1))
    return counts


def _most_grams(config: FastTextConfig) -> int:
    """How many grams the longest nickname gives that genderprep does not cut."""
    return len(grams("x" * MAX_TOKENS, config))


def _probability(logits: Floats) -> NDArray[np.float64]:
    """The logistic function, in a form that cannot overflow."""
    probabilities: NDArray[np.float64] = 0.5 + 0.5 * np.tanh(np.asarray(logits, np.float64) / 2)
    return probabilities


def _logit(probability: float) -> float:
    kept = min(max(probability, _LEAST_PRIOR), 1 - _LEAST_PRIOR)
    return math.log(kept / (1 - kept))


def _rows(table: pd.DataFrame, split: str) -> pd.DataFrame:
    return table[table["split"] == split]


def _fitted(rows: pd.DataFrame, config: FastTextConfig) -> FastText:
    return FastText(config).fit(rows["nickname"], _female(rows), rows["weight"].to_numpy())


def _female(rows: pd.DataFrame) -> NDArray[np.float64]:
    return (rows["gender"] == "female").to_numpy(np.float64)


def _measure(model: FastText, rows: pd.DataFrame) -> Summary:
    return summary(_female(rows), model.predict(rows["nickname"]))


if __name__ == "__main__":
    main()
