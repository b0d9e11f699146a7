r"""Review the labels of a manifest by eye: those that are probably wrong, and those that are worth adding.

    python -m training.curation.review runs/data/manifest.csv --out out/review.html
    python -m training.curation.review runs/data/manifest.csv --decisions decisions.json --out runs/data/corrected.csv

The first command writes one HTML page, which works without a network. Open it in a browser, decide by keyboard and
save; the second command applies the saved decisions.

A manifest is a CSV file with a column `picture` or `avatar` and a column of labels (`--label`), empty where there is
none yet. The losses of a training run are best: record them as a column and name it with `--score`
(`o2u.noise_scores` of labeled pictures, predicted losses of the others). Otherwise, a logistic regression on the
vectors of a served model judges each picture without having seen its label.
"""

import argparse
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

import genderprep

from ..arrays import FloatsN, FloatsND, IntsN
from ..data.bad_rows import ManifestError
from ..evaluation.intervals import identities_of
from .o2u import suspects
from .out_of_fold import expected_losses, probabilities
from .review_manifest import ReviewManifest
from .review_page import Item, page
from .selection import highest
from .vectors import embed

_REPOSITORY: Final = Path(genderprep.__file__).parents[3]
# The model that embeds pictures of a column, and its output: avatars by what tells users apart, others by content.
_ENCODERS: Final = {"avatar": ("mobilenet", "EMBEDDING"), "picture": ("picture_encoder", "VECTOR")}
# Pictures that are in memory at once.
_CHUNK: Final = 1024


class Judgment(NamedTuple):
    """How much each picture deserves a look, `[N]` (−∞ without a picture), and its likeliest label, −1 if unknown."""

    scores: FloatsN
    suggested: IntsN


def recorded(manifest: ReviewManifest, column: str) -> Judgment:
    """Judge by a column of the manifest. Of two labels, the other one is likelier.

    Raises:
        ManifestError: The column is missing, or is not a number everywhere.
    """
    scores = pd.to_numeric(manifest.table.get(column, pd.Series("", manifest.table.index)), errors="coerce")
    if scores.isna().any():
        row = int(scores.isna().to_numpy().argmax())
        raise ManifestError(f"{manifest.file}: row {row}: expected a number in the column that --score names")
    codes = manifest.codes
    return Judgment(scores.to_numpy(float), np.where((codes >= 0) & (len(manifest.labels) == 2), 1 - codes, -1))


def computed(manifest: ReviewManifest, encoder: Path, output: str) -> Judgment:
    """Judge by logistic regression on the vectors of a served model, out of fold.

    Raises:
        ValueError: As `out_of_fold.probabilities`.
    """
    vectors: list[FloatsND] = []
    rows: list[int] = []
    for first in range(0, len(manifest.table), _CHUNK):
        pictures = dict(manifest.pictures(range(first, min(first + _CHUNK, len(manifest.table)))))
        if pictures:
            vectors.append(embed(encoder, np.stack(list(pictures.values())), output))
            rows += pictures
    codes, groups = manifest.codes[rows], identities_of(manifest.table)[rows]
    p = probabilities(np.concatenate(vectors) if vectors else np.empty((0, 1)), codes, groups)
    scores, suggested = np.full(len(manifest.table), -np.inf), np.full(len(manifest.table), -1)
    scores[rows], suggested[rows] = expected_losses(p, codes), p.argmax(axis=1)
    return Judgment(scores, suggested)


def items(manifest: ReviewManifest, judgment: Judgment, share: float, count: int) -> list[Item]:
    """Return the pictures to look at: a share of each label, then `count` without a label."""
    scores, suggested = judgment
    codes = np.where(scores > -np.inf, manifest.codes, -1)
    unlabeled = np.flatnonzero((manifest.codes < 0) & (scores > -np.inf))
    chosen = [*suspects(scores, codes, share), *unlabeled[highest(scores[unlabeled], count)]]
    names = ["", *manifest.labels]
    return [
        Item(row, picture, names[manifest.codes[row] + 1], names[suggested[row] + 1])
        for row, picture in manifest.pictures([int(row) for row in chosen])
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="CSV file")
    parser.add_argument("--out", type=Path, required=True, help="the page, or with --decisions the corrected manifest")
    parser.add_argument("--decisions", type=Path, help="what the page saved: apply it")
    parser.add_argument("--label", help="the column of labels; by default label or gender")
    parser.add_argument("--score", help="a column of recorded losses, in place of a logistic regression")
    parser.add_argument(
        "--encoder", type=Path, help="ONNX file that embeds pictures; by default one of model_repository"
    )
    parser.add_argument("--share", type=float, default=0.05, help="share of each label to check")
    parser.add_argument("--count", type=int, default=100, help="number of unlabeled pictures to label next")
    args = parser.parse_args()
    try:
        manifest = ReviewManifest.read(args.manifest, args.label)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        if args.decisions:
            table = manifest.corrected(args.decisions, args.out.parent)
            table.to_csv(args.out, index=False)
            print(f"{args.out}: {len(table)} rows")
            return
        model, output = _ENCODERS[manifest.picture]
        encoder = args.encoder or max(_REPOSITORY.glob(f"{model}/*/model.onnx"), key=lambda file: int(file.parent.name))
        judgment = recorded(manifest, args.score) if args.score else computed(manifest, encoder, output)
    except (OSError, ValueError) as exc:
        raise SystemExit(f"review: {exc}") from exc
    shown = items(manifest, judgment, args.share, args.count)
    args.out.write_text(page(manifest, shown), encoding="utf-8")
    print(f"{args.out}: {len(shown)} pictures to look at")


if __name__ == "__main__":
    main()
