r"""Train every model of the article's story on one synthetic manifest, and say what each step brought.

    python -m training.synthetic.synthesize --count 7000 --out runs/benchmark
    python -m training.gender.ablate --data runs/benchmark/manifest.csv --out runs/ablation \
        --densenet121 WEIGHTS.npz --mobilenetv2 WEIGHTS.npz

Writes `results/ablation.{json,md,png}`; the weights are those of `training.gender.train --imagenet`.
A row that is done is not trained again when the same command is given again, an interrupted one goes on;
`--only` names rows, and what they start from, to train now; the tables hold all rows that are done.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.manifest import Manifest, ManifestError, read_manifest
from ..engine.predict import predict_split
from ..evaluation.benchmark import GroundTruth
from ..evaluation.platt import PlattScaling
from ..losses.late_mask import LateMask
from ..report import read_run
from . import ablation_report, fasttext
from .config import Config, ConfigError
from .configs import seed as seed_preset
from .model import load_model, main_logits
from .train import Start, train

ROOT: Final = Path(__file__).parents[2]
# Small pictures and few epochs, so that the whole table takes a few hours on two cores.
DENSENET: Final = Config(backbone="densenet121", epochs=3, image_size=96)
MOBILENET: Final = replace(DENSENET, backbone="mobilenetv2", epochs=6)
SEED_PRESET: Final = replace(seed_preset.get_config(), epochs=DENSENET.epochs, image_size=DENSENET.image_size)


@dataclass(frozen=True)
class Row:
    """One line of the table: `config` is None for the FastText baseline, the rest names what it starts from."""

    name: str
    config: Config | None
    article: str = ""
    imagenet: bool = False
    text: str = ""
    teacher: str = ""

    @property
    def needs(self) -> list[str]:
        """The rows that must be trained before."""
        return [name for name in (self.text, self.teacher) if name]


TEXT: Final = "text tower alone"
FULL: Final = "attention, ImageNet"
ROWS: Final = (
    Row("FastText", None, article="74 %"),
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
    Row("GCAdamW for AdamW", replace(DENSENET, gradient_centralization=True), imagenet=True, text=TEXT),
)


@dataclass(frozen=True)
class Study:
    """One manifest, where its rows are trained, and the files of ImageNet weights by backbone."""

    manifest: Path
    out: Path
    imagenet: dict[str, Path]

    def folder(self, row: str, seed: int) -> Path:
        return self.out / row.replace(" ", "_").replace(",", "").replace("+", "plus") / f"seed_{seed}"

    def run(self, row: Row, seed: int) -> None:
        """Train one row and keep its P(female) of the test users; nothing to do if they are there."""
        folder = self.folder(row.name, seed)
        if (folder / "predictions.npz").is_file():
            return
        print(f"{row.name}, seed {seed}", flush=True)
        female = self._train(row, seed, folder) if row.config else self._fasttext(seed, folder)
        np.savez(folder / "predictions.npz", female=female)

    def predictions(self, row: Row, seeds: Iterable[int]) -> dict[int, NDArray[np.float64]]:
        """P(female) of the test users by seed, of the seeds that are done."""
        files = {seed: self.folder(row.name, seed) / "predictions.npz" for seed in seeds}
        return {seed: np.load(file)["female"] for seed, file in files.items() if file.is_file()}

    def _train(self, row: Row, seed: int, folder: Path) -> NDArray[np.float64]:
        assert row.config
        start = Start(
            imagenet=self.imagenet[row.config.backbone] if row.imagenet else None,
            text=self.folder(row.text, seed) / "model.keras" if row.text else None,
            teacher=self.folder(row.teacher, seed) / "model.keras" if row.teacher else None,
        )
        if not (folder / "report.json").is_file():
            train(replace(row.config, seed=seed), self.manifest, folder, start)
        model = load_model(folder / "model.keras")
        scaling = PlattScaling(**read_run(folder)["scaling"])
        _, users, answers = predict_split(model, Manifest(self.manifest, 0), "test", row.config.image_size)
        return scaling(main_logits(answers), users.present)

    def _fasttext(self, seed: int, folder: Path) -> NDArray[np.float64]:
        fasttext.run(self.manifest, folder, fasttext.FastTextConfig(seed=seed))
        return fasttext.FastText.load(folder / "model.npz").predict(self._test()["nickname"])

    def _test(self) -> pd.DataFrame:
        table = read_manifest(self.manifest)
        return table[table["split"] == "test"]

    def users(self) -> GroundTruth:
        """The test users.

        Raises:
            ManifestError: the manifest lacks what only synthetic users have.
        """
        table = self._test()
        missing = [column for column in ("posterior", "stratum") if column not in table]
        if missing:
            raise ManifestError(
                f"{self.manifest}: no column {', '.join(missing)}; training.synthetic.synthesize writes them"
            )
        return GroundTruth(
            female=(table["gender"] == "female").to_numpy(),
            posterior=table["posterior"].to_numpy(float),
            determinable=(table["stratum"] != "neither").to_numpy(),
        )


def with_needs(names: Iterable[str]) -> list[Row]:
    """The rows of these names and those that they start from, in the order of the table.

    Raises:
        ConfigError: no such row.
    """
    rows = {row.name: row for row in ROWS}
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in rows:
            raise ConfigError(f"no row {name!r}; there are: {'; '.join(rows)}")
        wanted.add(name)
        waiting += rows[name].needs
    return [row for row in ROWS if row.name in wanted]


def ablate(study: Study, rows: Iterable[Row], seeds: Iterable[int], results: Path) -> dict[str, Any]:
    """Train `rows` and report all that are done, to `results`; returns the report."""
    users, seeds = study.users(), list(seeds)
    for seed in seeds:
        for row in rows:
            study.run(row, seed)
    done = {row.name: found for row in ROWS if (found := study.predictions(row, seeds))}
    about = {row.name: {"article": row.article, "epochs": row.config.epochs if row.config else ""} for row in ROWS}
    return ablation_report.write(users, done, about, study.manifest, results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest of training.synthetic.synthesize")
    parser.add_argument("--out", type=Path, required=True)
    for backbone in (DENSENET.backbone, MOBILENET.backbone):
        parser.add_argument(f"--{backbone}", type=Path, required=True, help="npz with its ImageNet weights")
    parser.add_argument("--only", nargs="+", default=[row.name for row in ROWS], metavar="ROW")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    try:
        imagenet = {backbone: getattr(args, backbone) for backbone in (DENSENET.backbone, MOBILENET.backbone)}
        ablate(Study(args.data, args.out, imagenet), with_needs(args.only), args.seeds, args.results)
    except (ManifestError, ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"ablate: {exc}") from exc
    print((args.results / "ablation.md").read_text())


if __name__ == "__main__":
    main()
