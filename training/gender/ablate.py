r"""Ablation: train every model of the article's story on one synthetic manifest and compare them.

    python -m training.synthetic.synthesize --count 7000 --out runs/benchmark
    python -m training.gender.ablate --data runs/benchmark/manifest.csv --out runs/ablation \
        --densenet121 WEIGHTS.npz --mobilenetv2 WEIGHTS.npz

Writes `results/ablation.{json,md,png}`. The weights are those of `training.gender.train --imagenet`. If you repeat the
command, finished rows are kept and an interrupted row resumes. `--only` selects rows to train now, after the rows that
they depend on. The results always include all finished rows.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..arrays import FloatsN
from ..data.manifest import Manifest, ManifestError, read_manifest
from ..engine.predict import predict_split
from ..evaluation.benchmark import GroundTruth
from ..evaluation.intervals import identities_of
from ..evaluation.platt import PlattScaling
from ..losses.late_mask import LateMask
from ..optimizers.gc_adamw import GRADIENT
from ..report import read_run
from . import ablation_report, fasttext
from .build import Pretrained
from .config import Config, ConfigError
from .configs import seed as seed_preset
from .model import load_model, main_logits
from .train import train

ROOT: Final = Path(__file__).parents[2]
# Small images and few epochs: the whole table takes a few hours on two cores.
DENSENET: Final = Config(backbone="densenet121", epochs=3, image_size=96)
MOBILENET: Final = replace(DENSENET, backbone="mobilenetv2", epochs=6)
SEED_PRESET: Final = replace(seed_preset.get_config(), epochs=DENSENET.epochs, image_size=DENSENET.image_size)


@dataclass(frozen=True)
class Row:
    """One row of the table. `text` and `teacher` name the rows that it takes the text tower and the teacher from."""

    name: str
    config: Config
    article: str = ""
    imagenet: bool = False
    text: str = ""
    teacher: str = ""

    @property
    def dependencies(self) -> list[str]:
        """Names of the rows that must be trained first."""
        return [name for name in (self.text, self.teacher) if name]


TEXT: Final = "text tower alone"
FULL: Final = "attention, ImageNet"
ROWS: Final = (
    Row("FastText", fasttext.CONFIG, article="74 %"),
    Row(TEXT, Config(backbone="", epochs=6, batch=128, learning_rate=5e-4)),
    Row("image tower alone", replace(DENSENET, text=False)),
    Row("image tower alone, ImageNet", replace(DENSENET, text=False), imagenet=True),
    Row("concat", replace(DENSENET, fusion="concat"), article="67 %"),
    Row("attention", DENSENET, article="83 %"),
    Row(FULL, DENSENET, article="85 %", imagenet=True, text=TEXT),
    Row("seed preset", SEED_PRESET, article="85 %", imagenet=True),
    Row("MobileNetV2", MOBILENET, article="84.2 %", imagenet=True, text=TEXT),
    Row("MobileNetV2, distilled", MOBILENET, imagenet=True, text=TEXT, teacher=FULL),
    Row("+ mask loss", replace(DENSENET, mask_loss=LateMask()), imagenet=True, text=TEXT),
    Row("+ CBAM", replace(DENSENET, cbam=True), article="no gain", imagenet=True, text=TEXT),
    Row("+ hand features", replace(DENSENET, hand_features=True), article="no gain", imagenet=True, text=TEXT),
    Row("GCAdamW for AdamW", replace(DENSENET, gradient_centralization=GRADIENT), imagenet=True, text=TEXT),
)


@dataclass(frozen=True)
class Study:
    """A manifest, the folder of its runs, and the files of ImageNet weights by backbone."""

    manifest: Path
    out: Path
    imagenet: dict[str, Path]

    def folder(self, row: str, seed: int) -> Path:
        """Return the run folder of a row."""
        return self.out / row.replace(" ", "_").replace(",", "").replace("+", "plus") / f"seed_{seed}"

    def run(self, row: Row, seed: int) -> None:
        """Train a row and store its predictions, unless they exist."""
        folder = self.folder(row.name, seed)
        if (folder / "predictions.npz").is_file():
            return
        print(f"{row.name}, seed {seed}", flush=True)
        np.savez(folder / "predictions.npz", female=self._train(row, seed))

    def predictions(self, row: Row, seeds: Iterable[int]) -> dict[int, FloatsN]:
        """Return the stored predictions of a row, by seed."""
        files = {seed: self.folder(row.name, seed) / "predictions.npz" for seed in seeds}
        return {seed: np.load(file)["female"] for seed, file in files.items() if file.is_file()}

    def users(self) -> GroundTruth:
        """Return the test users.

        Raises:
            ManifestError: The manifest lacks the columns of synthetic users.
        """
        table = read_manifest(self.manifest)
        table = table[table["split"] == "test"]
        if missing := [column for column in ("posterior", "stratum") if column not in table]:
            raise ManifestError(
                f"{self.manifest}: no column {', '.join(missing)}; use a manifest of training.synthetic.synthesize"
            )
        return GroundTruth(
            female=(table["gender"] == "female").to_numpy(),
            posterior=table["posterior"].to_numpy(float),
            determinable=(table["stratum"] != "neither").to_numpy(),
            identities=identities_of(table),
        )

    def _train(self, row: Row, seed: int) -> FloatsN:
        folder, config = self.folder(row.name, seed), row.config
        pretrained = Pretrained(
            imagenet=self.imagenet[config.backbone] if row.imagenet else None,
            text=self.folder(row.text, seed) / "model.keras" if row.text else None,
            teacher=self.folder(row.teacher, seed) / "model.keras" if row.teacher else None,
        )
        if not (folder / "report.json").is_file():
            train(replace(config, seed=seed), self.manifest, folder, pretrained)
        model = load_model(folder / "model.keras")
        scaling = PlattScaling(**read_run(folder)["scaling"])
        _, users, outputs = predict_split(model, Manifest(self.manifest, 0), "test", config.image_size)
        return scaling(main_logits(outputs), users.present)


def with_dependencies(names: Iterable[str]) -> list[Row]:
    """Return the named rows and the rows that they depend on, in the order of the table.

    Raises:
        ConfigError: The table has no such row.
    """
    selected, known = set(names), [row.name for row in ROWS]
    if unknown := selected.difference(known):
        raise ConfigError(f"expected rows of the table ({'; '.join(known)}), got {', '.join(sorted(unknown))}")
    for row in reversed(ROWS):
        if row.name in selected:
            selected.update(row.dependencies)
    return [row for row in ROWS if row.name in selected]


def ablate(study: Study, rows: Iterable[Row], seeds: Iterable[int], results: Path) -> dict[str, Any]:
    """Train `rows`, write the results of all finished rows to the folder `results`, and return them."""
    users, seeds = study.users(), list(seeds)
    for seed in seeds:
        for row in rows:
            study.run(row, seed)
    predictions = {row.name: by_seed for row in ROWS if (by_seed := study.predictions(row, seeds))}
    about = {row.name: {"article": row.article, "epochs": row.config.epochs} for row in ROWS}
    return ablation_report.write(users, predictions, about, study.manifest, results)


def main() -> None:
    backbones = sorted({row.config.backbone for row in ROWS if row.imagenet})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest of training.synthetic.synthesize")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    for backbone in backbones:
        parser.add_argument(f"--{backbone}", type=Path, required=True, help="npz with its ImageNet weights")
    parser.add_argument("--only", nargs="+", default=[row.name for row in ROWS], metavar="ROW")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    try:
        imagenet = {backbone: getattr(args, backbone) for backbone in backbones}
        ablate(Study(args.data, args.out, imagenet), with_dependencies(args.only), args.seeds, args.results)
    except (ManifestError, ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"ablate: {exc}") from exc
    print((args.results / "ablation.md").read_text())


if __name__ == "__main__":
    main()
