r"""Average the weights of two image towers of one training: before and after it went on (arXiv 2203.05482).

    python -m training.gender.average --runs runs/restored runs/avatars_densenet --pictures runs/pictures.parquet \
        --out runs/averaged_densenet

Writes a run like `training.gender.pretrain`. Batch statistics are estimated again, on clean training pictures.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from genderprep import PrepMismatch, prep_digest
from genderprep.tensors import IMAGE

from ..data.bad_rows import ManifestError
from ..engine.batch_norm import estimate_batch_norm
from ..engine.errors import ConfigError
from ..report import read_run, start_run, write_report
from ..trained_with import check_preprocessing
from .model import image_size, load_model
from .pictures import draw_batches, read_packed
from .pretraining import SHARES

_BATCH: Final = 128
_BATCHES: Final = 16


def average(runs: Sequence[Path], pictures: Path, out: Path) -> Path:
    """Average the towers of some runs, write the run to `out`, and return the model file.

    Args:
        runs: Runs of `training.gender.pretrain` or `conversion.restore`, which started from each other.
        pictures: A file of `training.synthetic.pack_pictures`.
        out: Folder for the run.

    Raises:
        FileNotFoundError: A file does not exist.
        ConfigError: The towers are of different backbones.
        ManifestError: The pictures cannot be read.
        PrepMismatch: A tower was trained with another preprocessing.
    """
    reports = [read_run(run) for run in runs]
    for report in reports:
        check_preprocessing(report)
    backbones = {report["backbone"] for report in reports}
    if len(backbones) != 1:
        raise ConfigError(f"expected towers of one backbone, got {', '.join(sorted(backbones))}")
    models = [load_model(run / "model.keras") for run in runs]
    tower = models[-1]
    tower.set_weights([np.mean(weights, axis=0) for weights in zip(*(m.get_weights() for m in models), strict=True)])
    train = read_packed(pictures, image_size(tower), "train")
    clean = draw_batches(train, SHARES, _BATCH, _BATCHES, seed=0, augmentation=None)
    estimate_batch_norm(tower, ({IMAGE: images} for images, _ in clean))
    start_run(out)
    tower.save(out / "model.keras")
    write_report(out / "report.json", backbone=backbones.pop(), prep_digest=prep_digest(), averaged=reports)
    return out / "model.keras"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="runs of one training")
    parser.add_argument("--pictures", type=Path, required=True, help="file of training.synthetic.pack_pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    args = parser.parse_args()
    try:
        print(average(args.runs, args.pictures, args.out))
    except (ConfigError, ManifestError, PrepMismatch, FileNotFoundError) as exc:
        raise SystemExit(f"average: {exc}") from exc


if __name__ == "__main__":
    main()
