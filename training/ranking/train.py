r"""Train a ranker on impressions.

    python -m training.ranking.world --cards CARDS.csv --vectors VECTORS.npy --out runs/world   # or your own logs:
    python -m training.ranking.impressions --exposures … --likes … --users … --out runs/impressions.parquet
    python -m training.ranking.train --config training/ranking/configs/served.py \
        --impressions runs/world/impressions.parquet --gallery runs/world/gallery --out runs/ranker

Writes `ranker.keras` (the served model, if the config has no ids), `weights.npz` (for warm starts), `prerank.npz`,
`held_out.npz` (sessions on which the publisher compares it with the served ranker) and `report.json` to `--out`. The
sessions of the last day calibrate the scores and measure the model; the earlier ones train it.
"""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd
from scipy.special import expit

from ..arrays import BoolsN, FloatsND, IntsN
from ..data.bad_rows import ManifestError
from ..data.tables import read_array, read_arrays, read_parquet
from ..engine.errors import ConfigError
from ..evaluation.ranking import summary, user_auc
from ..gender.config import import_config
from ..report import start_run, write_report
from .config import Config
from .examples import Examples, examples_of
from .fit import calibrate, fit, picture_table, predict_logits
from .held_out import write_held_out
from .impressions import IMPRESSIONS
from .model import Ranker
from .prerank import two_tower_model
from .warm_start import set_weights, weights_of

# A ranker is bound to the vectors that it was trained on.
_DIGESTS: Final = ("encoder_digest", "prep_digest")
# The pre-ranker is linear, and takes larger steps.
PRERANK: Final = Config(learning_rate=0.05, epochs=1)


@dataclass(frozen=True)
class Gallery:
    """Vectors of P pictures [P, D], their ids [P], and what else `gallery.json` says, such as the encoder's digest."""

    vectors: FloatsND
    ids: IntsN
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read_gallery(folder: Path) -> Gallery:
    """Read `vectors.npy`, `ids.npy` and, if there is one, `gallery.json`.

    Raises:
        FileNotFoundError: One of the files is missing.
        ManifestError: One of them is no npy file.
        ConfigError: They have different lengths.
    """
    vectors, ids = read_array(folder / "vectors.npy"), read_array(folder / "ids.npy")
    if len(vectors) != len(ids):
        raise ConfigError(f"{folder}: expected one id for each vector, got {len(ids)} ids and {len(vectors)} vectors")
    file = folder / "gallery.json"
    metadata = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return Gallery(vectors.astype(np.float32), ids, metadata)


def train(config: Config, impressions: pd.DataFrame, gallery: Gallery, out: Path, warm: Path | None = None) -> Path:
    """Train a ranker and a pre-ranker, write the run to `out`, and return the folder.

    Args:
        config: What the ranker knows.
        impressions: In the form of `training.ranking.impressions`, of at least two days.
        gallery: The vectors of all pictures.
        out: Folder of the run.
        warm: `weights.npz` of an earlier run, to start from all but its id embeddings.

    Raises:
        ConfigError: There are too few days, sessions or likes, or the weights do not fit.
    """
    if impressions.empty:
        raise ConfigError("expected impressions, got none")
    examples = examples_of(impressions, gallery.ids)
    last = examples.days == examples.days.max()
    past, held_out = examples.rows(~last), examples.rows(last)
    odd = np.arange(len(held_out)) % 2 == 1
    calibration, measured = held_out.rows(~odd), held_out.rows(odd)
    if len(past) < config.batch:
        raise ConfigError(f"expected at least {config.batch} sessions before the last day, got {len(past)}")
    _check_last_day(calibration, measured)
    known = past.seen(len(gallery.ids))
    table = picture_table(gallery.vectors)
    start_run(out)
    keras.utils.set_random_seed(config.seed)
    ranker = Ranker(config, table.shape[1])
    model = ranker.training_model(table)
    if warm is not None:
        set_weights(model, read_arrays(warm), with_ids=False)
    losses = fit(model, config, past, known)
    calibrate(ranker, predict_logits(model, calibration, known), calibration)
    np.savez(out / "weights.npz", **weights_of(model))
    (out / "ranker.keras").unlink(missing_ok=True)
    if not config.ids:
        ranker.served_model().save(out / "ranker.keras")
    prerank = _prerank(table, past, known, out)
    write_held_out(out, measured, table)
    write_report(
        out / "report.json",
        config=asdict(config),
        sessions=len(past),
        pictures=len(gallery.ids),
        **{name: gallery.metadata.get(name, "") for name in _DIGESTS},
        losses=[round(loss, 4) for loss in losses],
        ranker=_measure(model, measured, known),
        prerank=_measure(prerank, measured, known),
    )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="such as training/ranking/configs/served.py")
    parser.add_argument("--impressions", type=Path, required=True, help="Parquet of training.ranking.impressions")
    parser.add_argument("--gallery", type=Path, required=True, help="folder with vectors.npy and ids.npy")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    parser.add_argument("--warm-start", type=Path, help="weights.npz of yesterday's run, of the same gallery")
    args = parser.parse_args()
    try:
        config, gallery = import_config(args.config, Config), read_gallery(args.gallery)
        print(train(config, read_parquet(args.impressions, *IMPRESSIONS), gallery, args.out, args.warm_start))
    except (ConfigError, ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"train: {exc}") from exc


def _prerank(table: FloatsND, past: Examples, known: BoolsN, out: Path) -> keras.Model:
    model = two_tower_model(table)
    fit(model, PRERANK, past, known)
    model.get_layer("towers").save_npz(out / "prerank.npz")
    return model


def _measure(model: keras.Model, examples: Examples, known: BoolsN) -> dict[str, float]:
    p_like = expit(predict_logits(model, examples, known))
    return summary(examples.liked == 1, p_like, examples.candidates > 0, examples.users)


def _check_last_day(calibration: Examples, measured: Examples) -> None:
    """Refuse a last day on which there is nothing to learn about ranking.

    Raises:
        ConfigError: Half of its lists has no like, or likes only.
    """
    for half in (calibration, measured):
        shown = half.candidates > 0
        if np.isnan(user_auc(half.liked == 1, half.priors, shown, half.users).mean()):
            raise ConfigError(
                f"expected users of the last day who liked some of the shown pictures and not others in both halves of "
                f"its {len(calibration) + len(measured)} lists; train on logs of more users or of longer lists"
            )


if __name__ == "__main__":
    main()
