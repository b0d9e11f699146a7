r"""Ablation: train every model of the article's story on one synthetic manifest and compare them.

    python -m training.synthetic.synthesize --count 7000 --out runs/benchmark --images IMAGES --names NAMES
    python -m training.data.pack --data runs/benchmark/manifest.csv --out runs/benchmark.parquet --pixels 96
    python -m training.gender.ablate --data runs/benchmark.parquet --out runs/ablation \
        --densenet121 WEIGHTS.npz --mobilenetv2 WEIGHTS.npz

Writes `results/ablation.{json,md,png}`. The weights are those of `training.gender.train --imagenet`. If you repeat the
command, finished runs are kept and an interrupted run resumes. `--only` selects rows to train now, after the rows that
they depend on; without a name, it trains none. The results always include all finished runs. On a GPU, which one run
does not fill, train several at a time with PyTorch: `KERAS_BACKEND=torch python -m training.gender.ablate --jobs 10`.
"""

import argparse
import json
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

from figures.save import save
from genderprep import prep_digest

from ..arrays import BoolsN, FloatsN
from ..data.manifest import Manifest, ManifestError, read_manifest
from ..engine.exclusive import end_with_parent
from ..engine.predict import predict_split
from ..evaluation.benchmark import GroundTruth
from ..evaluation.intervals import identities_of
from ..evaluation.platt import PlattScaling
from ..report import read_run, write_report
from ..synthetic.pictures import TRAIN_ONLY
from . import ablation_report, ablation_results
from .ablation_rows import ROWS, Row, with_dependencies
from .build import Pretrained
from .config import ConfigError
from .model import load_model, main_logits
from .train import is_trained, train

ROOT: Final = Path(__file__).parents[2]


class Run(NamedTuple):
    """A row and one of its seeds."""

    row: Row
    seed: int

    def __str__(self) -> str:
        return f"{self.row.name}, seed {self.seed}"


@dataclass(frozen=True)
class Study:
    """A manifest, the folder of its runs, and the files of ImageNet weights by backbone."""

    manifest: Path
    out: Path
    imagenet: dict[str, Path]

    def folder(self, row: str, seed: int) -> Path:
        """Return the folder of a run."""
        return self.out / row.replace(" ", "_").replace(",", "").replace("+", "plus") / f"seed_{seed}"

    def predictions(self, row: str, seed: int) -> Path:
        """Return the file that a finished run has: its P(female) of the test users, with date and machine."""
        return self.folder(row, seed) / "predictions.json"

    def is_ready(self, run: Run) -> bool:
        """Return whether the runs that a run depends on are finished."""
        return all(self.predictions(row, run.seed).is_file() for row in run.row.dependencies)

    def is_trained(self, run: Run) -> bool:
        """Return whether a run is trained.

        Raises:
            ConfigError: Its folder holds another run.
        """
        config, folder = replace(run.row.config, seed=run.seed), self.folder(run.row.name, run.seed)
        return is_trained(config, self.manifest, folder, self._pretrained(run))

    def train(self, run: Run) -> None:
        """Train a run, unless it is trained, and store its predictions. What Keras prints goes to `log.txt`."""
        folder = self.folder(run.row.name, run.seed)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log.txt").open("a") as log, redirect_stdout(log):
            if not self.is_trained(run):
                train(replace(run.row.config, seed=run.seed), self.manifest, folder, self._pretrained(run))
            p_female = self._predict(folder, run.row.config.image_size)
        write_report(
            self.predictions(run.row.name, run.seed),
            manifest=self.manifest.name,
            prep_digest=prep_digest(),
            p_female=[round(float(p), 6) for p in p_female],
        )

    def finished(self, row: Row) -> dict[int, dict[str, Any]]:
        """Return the stored predictions of a row, by seed.

        Raises:
            ConfigError: They are of the users of another manifest.
        """
        files = {seed: self.predictions(row.name, seed) for seed in range(1, row.seeds + 1)}
        found = {seed: json.loads(file.read_text()) for seed, file in files.items() if file.is_file()}
        for seed, stored in found.items():
            if stored["manifest"] != self.manifest.name:
                raise ConfigError(
                    f"{files[seed]}: expected predictions of {self.manifest.name}, got those of {stored['manifest']}; "
                    "choose another --out"
                )
        return found

    def users(self) -> tuple[GroundTruth, BoolsN]:
        """Return the test users, and which of them are scored: those without a picture of a source for training only.

        Raises:
            ManifestError: The manifest lacks the columns of synthetic users.
        """
        users = read_manifest(self.manifest)
        table, trained = (users[users["split"] == split] for split in ("test", "train"))
        if missing := [column for column in ("posterior", "stratum", "identity") if column not in table]:
            raise ManifestError(
                f"{self.manifest}: no column {', '.join(missing)}; use a manifest of training.synthetic.synthesize"
            )
        nicknames = table["nickname"]
        truth = GroundTruth(
            female=(table["gender"] == "female").to_numpy(),
            posterior=table["posterior"].to_numpy(float),
            determinable=(table["stratum"] != "neither").to_numpy(),
            new_nickname=((nicknames != "") & ~nicknames.isin(trained["nickname"])).to_numpy(),
            identities=identities_of(table),
        )
        return truth, (~table["source"].isin(TRAIN_ONLY)).to_numpy()

    def _pretrained(self, run: Run) -> Pretrained:
        row, seed = run
        return Pretrained(
            imagenet=self.imagenet[row.config.backbone] if row.imagenet else None,
            text=self.folder(row.text, seed) / "model.keras" if row.text else None,
            teacher=self.folder(row.teacher, seed) / "model.keras" if row.teacher else None,
        )

    def _predict(self, folder: Path, image_size: int) -> FloatsN:
        model, scaling = load_model(folder / "model.keras"), PlattScaling(**read_run(folder)["scaling"])
        _, users, outputs = predict_split(model, Manifest(self.manifest, 0), "test", image_size)
        return scaling(main_logits(outputs), users.present)


def runs_of(rows: Iterable[Row]) -> list[Run]:
    """Return the runs of some rows: first those of claims, and of them first those that others depend on."""
    rows = list(rows)
    needed = {name for row in rows for name in row.dependencies}
    runs = [Run(row, seed) for row in rows for seed in range(1, row.seeds + 1)]
    return sorted(runs, key=lambda run: (run.row.seeds == 1, run.row.name not in needed, run.seed))


def train_all(study: Study, runs: Iterable[Run], jobs: int) -> list[str]:
    """Train the unfinished runs, each as soon as those that it depends on are finished, and return those that failed.

    `jobs` processes train at the same time. A run that depends on a failed one is not trained.
    """
    waiting = [run for run in runs if not study.predictions(run.row.name, run.seed).is_file()]
    training: dict[Future[None], Run] = {}
    failed: list[str] = []
    with ProcessPoolExecutor(jobs, get_context("spawn"), end_with_parent) as pool:
        while True:
            ready = [run for run in waiting if study.is_ready(run)][: jobs - len(training)]
            waiting = [run for run in waiting if run not in ready]
            training |= {pool.submit(study.train, run): run for run in ready}
            if not training:
                return failed + [str(run) for run in waiting]
            for future in wait(training, return_when=FIRST_COMPLETED).done:
                run, error = training.pop(future), future.exception()
                print(f"{run}: {error or 'finished'}", flush=True)
                failed += [str(run)] if error else []


def ablate(study: Study, rows: Iterable[Row], results: Path, jobs: int = 1) -> list[str]:
    """Train `rows`, write the results of all finished runs to the folder `results`, and return the runs that failed.

    Raises:
        ManifestError: The manifest lacks the columns of synthetic users.
        ConfigError: There is a run of another config.
    """
    users, scored = study.users()
    for run in runs_of(ROWS):
        study.is_trained(run)
    failed = train_all(study, runs_of(rows), jobs)
    finished = {row: by_seed for row in ROWS if (by_seed := study.finished(row))}
    report = ablation_results.content(users, scored, finished)
    write_report(results / "ablation.json", manifest=study.manifest.name, **report)
    (results / "ablation.md").write_text(ablation_report.markdown(report), encoding="utf-8")
    save(partial(ablation_report.chart, report), results / "ablation.png")
    return failed


def main() -> None:
    backbones = sorted({row.config.backbone for row in ROWS if row.imagenet})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest of training.synthetic.synthesize")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    for backbone in backbones:
        parser.add_argument(f"--{backbone}", type=Path, required=True, help="npz with its ImageNet weights")
    parser.add_argument("--only", nargs="*", default=[row.name for row in ROWS], metavar="ROW")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    try:
        imagenet = {backbone: getattr(args, backbone) for backbone in backbones}
        study = Study(args.data, args.out, imagenet)
        failed = ablate(study, with_dependencies(args.only), args.results, args.jobs)
    except (ManifestError, ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"ablate: {exc}") from exc
    print((args.results / "ablation.md").read_text())
    if failed:
        raise SystemExit(f"ablate: not trained: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
