r"""Compare the text tower with a logistic regression over character n-grams, on unseen names and words.

    python -m training.gender.evaluate_text --run runs/nickname --data runs/nicknames.parquet \
        --out results/nicknames.json

The sets are those of `training.synthetic.nickname_sets`. The regression (scikit-learn) learns the names of the train
split, which is what a simple model makes of the same lists. Both are calibrated on the validation split.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier

from genderprep.tensors import TOKENS
from genderprep.text import prepare_text, segment

from ..arrays import BoolsN2, FloatsN, FloatsN1
from ..data.manifest import Manifest, ManifestError
from ..evaluation.metrics import auc
from ..evaluation.platt import fit_platt
from ..evaluation.trust import balanced_calibration_error, doubt, surely_wrong
from ..report import write_report
from ..synthetic.nickname_sets import NAMES, nickname_sets
from .model import load_model, main_logits

# Logits of nicknames.
Logits = Callable[[Sequence[str]], FloatsN1]
_FEATURES: Final = 2**20


def tower_logits(run: Path) -> Logits:
    """Return the logits of a trained text tower."""
    model = load_model(run / "model.keras")

    def logits(nicknames: Sequence[str]) -> FloatsN1:
        tokens = np.stack([prepare_text(nickname.encode())[0] for nickname in nicknames])
        return main_logits(model.predict({TOKENS: tokens}, batch_size=512, verbose=0))

    return logits


def regression_logits(names: pd.DataFrame) -> Logits:
    """Return the logits of a logistic regression over n-grams of one to three graphemes, trained on `names`."""
    vectorizer = HashingVectorizer(analyzer=_ngrams, n_features=_FEATURES, alternate_sign=False)
    regression = SGDClassifier(loss="log_loss", alpha=1e-6, random_state=0)
    regression.fit(vectorizer.transform(names["nickname"]), names["gender"] == "female")
    return lambda nicknames: np.asarray(regression.decision_function(vectorizer.transform(nicknames)))[:, None]


def evaluate_text(run: Path, data: Path, out: Path) -> dict[str, Any]:
    """Measure both models, write the report, and return the figures by model and set.

    Raises:
        ManifestError: The manifest cannot be used.
        FileNotFoundError: The run or the manifest does not exist.
    """
    manifest = Manifest(data)
    train, validation = (pd.concat(manifest.tables(s, ("nickname", "source"))) for s in ("train", "validation"))
    sets = {str(name): table for name, table in nickname_sets(manifest).groupby("set", sort=False)}
    models = {
        "text tower": tower_logits(run),
        "n-gram regression": regression_logits(train[train["source"].isin(NAMES)]),
    }
    figures = {model: _measure(logits, validation, sets) for model, logits in models.items()}
    write_report(out, manifest=data.name, rows=manifest.stats.rows, models=figures)
    return figures


def _measure(logits: Logits, validation: pd.DataFrame, sets: dict[str, pd.DataFrame]) -> dict[str, Any]:
    scaling = fit_platt(
        logits(validation["nickname"].tolist()), _shown(validation), validation[["p_female"]].to_numpy(), 0.5
    )
    figures = {}
    for name, table in sets.items():
        p_female = scaling(logits(table["nickname"].tolist()), _shown(table))
        if (table["gender"] == "").all():
            figures[name] = doubt(p_female)
        else:
            figures[name] = _figures((table["gender"] == "female").to_numpy(float), p_female)
    return figures


def _shown(table: pd.DataFrame) -> BoolsN2:
    """Return the present modalities, of which the nickname is the only one."""
    return np.tile([False, True], (len(table), 1))


def _figures(female: FloatsN, p_female: FloatsN) -> dict[str, float]:
    values = {
        "accuracy": float(np.mean((p_female > 0.5) == (female == 1))),
        "auc": auc(female, p_female),
        "balanced_ece": balanced_calibration_error(female, p_female),
        "surely_wrong": surely_wrong(female, p_female),
    }
    return {"users": len(female)} | {name: round(value, 4) for name, value in values.items()}


def _ngrams(nickname: str) -> list[str]:
    """Return the n-grams of one to three graphemes, with marked ends: `^a`, `a$` and so on."""
    marked = ["^", *segment(nickname), "$"]
    return ["".join(marked[i : i + n]) for n in (1, 2, 3) for i in range(len(marked) - n + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.gender.train_text")
    parser.add_argument("--data", type=Path, required=True, help="manifest of training.synthetic.open_nicknames")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    args = parser.parse_args()
    try:
        for model, figures in evaluate_text(args.run, args.data, args.out).items():
            print(model, pd.DataFrame(figures).T.to_string(), sep="\n")
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"evaluate_text: {exc}") from exc


if __name__ == "__main__":
    main()
