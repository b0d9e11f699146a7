r"""Train the two networks of a screener on labeled pictures.

    python -m training.synthetic.draw_defects --count 3000 --unsuitable 0.08 --out runs/defects
    python -m training.synthetic.draw_defects --count 2600 --unsuitable 0.5 --splits train --out runs/defects_half
    python -m training.synthetic.draw_defects --first 10000 --count 2600 --unsuitable 0.4 --harmless 0.5 \
        --splits train --out runs/motifs
    python -m training.synthetic.spoil_pictures --images IMAGES AVATARS --out runs/photos
    python -m training.curation.train --data runs/defects/defects.csv runs/defects_half/defects.csv \
        runs/motifs/defects.csv runs/photos/defects.csv --weights MOBILENETV2.npz --steps 1000 --out runs/screener

The first network learns all attributes from the pictures of the split train of all manifests; the second one learns
`unsuitable` from the pictures of each batch that are hardest for the first, and as many others. Both start from
ImageNet's MobileNetV2; without `--weights`, they are small residual networks and start from nothing. Writes
`first.keras`, `second.keras` and `report.json`, for `conversion.publish_screener`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import keras

from genderprep import prep_digest

from ..data.bad_rows import ManifestError
from ..engine.errors import ConfigError
from ..report import start_run, write_report
from .fit import Schedule, mine
from .multitask import build_network, with_heads
from .network import Trunk
from .pictures import SIZE, LabeledPictures, join_pictures, read_labeled_pictures
from .pretrained import pretrained_trunk

CASCADED: Final = "unsuitable"
# The sizes of networks that start from nothing.
_SMALL: Final = Trunk(width=16), Trunk(width=24)
# Peak learning rates of a training from nothing, and from ImageNet.
_FROM_NOTHING, _FINE_TUNING = 2e-3, 1e-3

# The sizes of both networks, or ImageNet weights from which both start.
Start = tuple[Trunk, Trunk] | Path


def train(
    pictures: LabeledPictures, schedule: Schedule, start: Start, hard: int = 16
) -> tuple[keras.Model, keras.Model, float]:
    """Return both networks, and their loss at the end.

    Args:
        pictures: All are labeled for `unsuitable`.
        schedule: How long to train.
        start: Of the networks for all attributes and for `unsuitable`.
        hard: Pictures of each batch that reach the second network because they are hard; as many others do.

    Raises:
        FileNotFoundError: The weights do not exist.
        ConfigError: They are those of another network.
    """
    keras.utils.set_random_seed(schedule.seed)
    attributes = list(pictures.attributes)
    first, second = (_build(start, number, heads) for number, heads in enumerate((len(attributes), 1)))
    loss = mine(first, second, pictures.pixels, pictures.labels, schedule, attributes.index(CASCADED), hard, hard)
    return first, second, loss


def run(manifests: Sequence[Path], out: Path, schedule: Schedule, start: Start, hard: int = 16) -> dict[str, Any]:
    """Train on the split train of manifests, and write the run folder; return its report.

    Raises:
        ManifestError: A manifest cannot be used.
        FileNotFoundError: The weights do not exist.
        ConfigError: They are those of another network.
    """
    size = SIZE if isinstance(start, Path) else start[0].size
    pictures = join_pictures([read_labeled_pictures(each, size).split("train") for each in manifests])
    if not len(pictures):
        raise ManifestError(f"{manifests[0]}: expected pictures of the split train, got none")
    *networks, loss = train(pictures, schedule, start, hard)
    start_run(out)
    for name, network in zip(("first", "second"), networks, strict=True):
        network.save(out / f"{name}.keras")
    report = {
        "prep_digest": prep_digest(),
        "attributes": list(pictures.attributes),
        "pictures": len(pictures),
        "positives": int((pictures.of(CASCADED) == 1).sum()),
        "schedule": schedule,
        **({"weights": start.name} if isinstance(start, Path) else {"first": start[0], "second": start[1]}),
        "hard": hard,
        "loss": round(loss, 4),
    }
    write_report(out / "report.json", **report)
    return report


def _build(start: Start, number: int, heads: int) -> keras.Model:
    if isinstance(start, Path):
        return with_heads(pretrained_trunk(start), heads)
    return build_network(start[number], heads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="manifests with a column for each attribute"
    )
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--weights", type=Path, help="npz of ImageNet weights of MobileNetV2 to start from")
    parser.add_argument("--steps", type=int, default=2200, help="batches of 64 pictures")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    schedule = Schedule(args.steps, learning_rate=_FINE_TUNING if args.weights else _FROM_NOTHING, seed=args.seed)
    try:
        print(run(args.data, args.out, schedule, args.weights or _SMALL))
    except (ManifestError, ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"train: {exc}") from exc


if __name__ == "__main__":
    main()
