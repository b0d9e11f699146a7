"""The nickname baseline: FastText over hashed n-grams of graphemes (Joulin et al., 2016, arXiv 1607.01759).

    python -m training.gender.fasttext --data runs/data/nicknames.csv --out runs/fasttext

The mean embedding of a nickname's n-grams goes through a linear layer to the logit of P(female). With `--raw` the whole
nickname is one feature, which is what FastText's defaults make of names without spaces: the model memorizes nicknames
and does not generalize to new ones.

Writes `model.keras`, trained at the learning rate that is best on validation, and `report.json` to `--out`.
"""

import argparse
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd
from keras import ops
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.utils import murmurhash3_32

from genderprep import prep_digest
from genderprep.tensors import MAX_TOKENS
from genderprep.text import emoji_key, is_missing, segment

from ..data.manifest import SPLITS, ManifestError, read_manifest
from ..evaluation.metrics import Summary, summary
from ..report import read_run, write_report
from .model import load_model

# The grid of section 3.1.
LEARNING_RATES: Final = (0.05, 0.1, 0.25, 0.5)

# Mark the ends of a nickname. `genderprep` removes control characters, so no nickname contains them.
START: Final = "\x02"
END: Final = "\x03"

_MIN_PRIOR: Final = 1e-6

# [N, G]: ids from 1 to `buckets`, padded with 0.
NgramIds = NDArray[np.int32]
# P(female), [N].
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class FastTextConfig:
    """Hyperparameters of one run; `dim` and `epochs` follow section 3.1 of the paper."""

    max_n: int = 3
    raw: bool = False
    buckets: int = 2**18
    dim: int = 10
    epochs: int = 5
    batch: int = 32
    learning_rate: float = 0.1
    seed: int = 1


@dataclass(frozen=True)
class FastText:
    """A network and the config that encodes its input."""

    config: FastTextConfig
    network: keras.Model

    @classmethod
    def fit(cls, users: pd.DataFrame, config: FastTextConfig) -> Self:
        """Train on the rows of a manifest by SGD, with a learning rate that decays linearly to 0."""
        keras.utils.set_random_seed(config.seed)
        labels, weights = _female(users), users["weight"].to_numpy()
        network = build_network(config, prior_female=float(np.average(labels, weights=weights)))
        steps = config.epochs * -(-len(users) // config.batch)
        schedule = keras.optimizers.schedules.PolynomialDecay(config.learning_rate, steps, end_learning_rate=0.0)
        # As in FastText, every user moves the weights by the full rate. XLA would make the embedding's gradient dense.
        loss = keras.losses.BinaryCrossentropy(from_logits=True, reduction="sum")
        network.compile(keras.optimizers.SGD(schedule), loss, jit_compile=False, steps_per_execution=32)
        ids = encode(users["nickname"], config)
        network.fit(ids, labels, config.batch, config.epochs, sample_weight=weights, verbose=0)
        return cls(config, network)

    @classmethod
    def load(cls, run: Path) -> Self:
        """Load what `run` wrote to a folder.

        Raises:
            FileNotFoundError: the folder has no finished run.
        """
        return cls(FastTextConfig(**read_run(run)["config"]), load_model(run / "model.keras"))

    def predict(self, nicknames: Iterable[str]) -> Probabilities:
        """Return P(female), [N]; a missing nickname gets the prior."""
        logits = self.network.predict(encode(nicknames, self.config), batch_size=1024, verbose=0)
        probabilities: Probabilities = expit(logits[:, 0].astype(np.float64))
        return probabilities

    def measure(self, users: pd.DataFrame) -> Summary:
        """Return the metrics on the rows of a manifest."""
        return summary(_female(users), self.predict(users["nickname"]))


def build_network(config: FastTextConfig, prior_female: float) -> keras.Model:
    """Build the network from n-gram ids, int32 [B, G], to the logit of P(female), [B, 1].

    The logit of `prior_female` is a constant bias, so a nickname without n-grams gets exactly the prior.
    """
    ids = keras.Input((None,), dtype="int32", name="ngrams")
    uniform = keras.initializers.RandomUniform(-1 / config.dim, 1 / config.dim, seed=config.seed)
    embeddings = keras.layers.Embedding(1 + config.buckets, config.dim, uniform, name="embedding")(ids)
    valid = ops.cast(ops.not_equal(ids, 0), "float32")[..., None]
    mean = ops.sum(embeddings * valid, axis=1) / ops.maximum(ops.sum(valid, axis=1), 1)
    learned = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="output")(mean)
    return keras.Model(ids, learned + float(logit(np.clip(prior_female, _MIN_PRIOR, 1 - _MIN_PRIOR))), name="fasttext")


def encode(nicknames: Iterable[str], config: FastTextConfig) -> NgramIds:
    """Hash the n-grams of each nickname into buckets."""
    rows = [[1 + murmurhash3_32(gram, positive=True) % config.buckets for gram in ngrams(n, config)] for n in nicknames]
    ids: NgramIds = keras.utils.pad_sequences(rows, padding="post")
    return ids


def ngrams(nickname: str, config: FastTextConfig) -> list[str]:
    """List the n-grams up to `max_n`: `"小宝"` gives `小`, `宝`, `^小`, `小宝`, `宝$`, `^小宝` and `小宝$`."""
    clusters = graphemes(nickname)
    if not clusters:
        return []
    marked = [START, *clusters, END]
    if config.raw:
        return ["".join(marked)]
    longer = ("".join(marked[i : i + n]) for n in range(2, config.max_n + 1) for i in range(len(marked) - n + 1))
    return [*clusters, *longer]


def graphemes(nickname: str) -> list[str]:
    """Split a nickname as `genderprep` does: at most 32 visible clusters, emoji without skin tone; none if missing."""
    if is_missing(nickname):
        return []
    clusters = segment(unicodedata.normalize("NFC", nickname))[:MAX_TOKENS]
    return [emoji_key(cluster) or cluster for cluster in clusters]


def run(manifest: Path, out: Path, config: FastTextConfig) -> dict[str, Summary]:
    """Train at each learning rate, write the model that is best on validation to `out`, and return its metrics.

    Raises:
        ManifestError: the manifest cannot be used, or the weights of a split are all 0.
        FileNotFoundError: no such manifest.
    """
    table = read_manifest(manifest)
    train, validation, test = (_split(table, split, manifest) for split in SPLITS)
    models = [FastText.fit(train, replace(config, learning_rate=rate)) for rate in LEARNING_RATES]
    accuracies = [float(model.measure(validation)["accuracy"]) for model in models]
    best = models[int(np.argmax(accuracies))]
    results = {"validation": best.measure(validation), "test": best.measure(test)}
    out.mkdir(parents=True, exist_ok=True)
    best.network.save(out / "model.keras")
    write_report(
        out / "report.json",
        config=best.config,
        manifest=manifest.name,
        prep_digest=prep_digest(),
        validation_accuracy_by_learning_rate=dict(zip(LEARNING_RATES, accuracies, strict=True)),
        **results,
    )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL or Parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model and the report")
    parser.add_argument("--raw", action="store_true", help="use the whole nickname as one feature")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        results = run(args.data, args.out, FastTextConfig(raw=args.raw, seed=args.seed))
        print(pd.DataFrame(results).T.to_string())
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"fasttext: {exc}") from exc


def _split(table: pd.DataFrame, split: str, manifest: Path) -> pd.DataFrame:
    rows = table[table["split"] == split]
    if not rows["weight"].sum():
        raise ManifestError(f"{manifest}: the split {split!r} has no rows with a positive weight")
    return rows


def _female(users: pd.DataFrame) -> NDArray[np.float32]:
    return (users["gender"] == "female").to_numpy(np.float32)


if __name__ == "__main__":
    main()
