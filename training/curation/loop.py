r"""The loop of article 003 on drawn pictures of known truth, and each of its ideas against alternatives.

    OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 python -m training.curation.loop --out runs/curation

Few-shot start → Mean Teacher → rounds of recall, choice, labels, O2U and training → cascade with hard examples,
measured at the true prevalence. Writes `results/curation.{json,md,png}`. If you repeat the command, it continues after
the last complete training; a complete seed is only read. The results are written after each part of the first seed, and
after each further seed.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pandas as pd

from figures.save import save

from ..arrays import BoolsN, ImagesNSS3, IntsN
from ..engine.errors import ConfigError
from ..engine.resume import check_finished_run
from ..pretrain.pictures import block_means
from ..report import write_report
from ..synthetic.defects import PREVALENCE
from .benchmark import draw_pool
from .cold_start import MEAN_TEACHER, cold_start, retrieve
from .comparisons import STRATEGIES, attend, clean, second_networks, select
from .loop_report import chart, markdown
from .network import Trunk
from .results import Judge, Outcome, content
from .rounds import first_round, next_round
from .runs import Runs
from .study import ATTRIBUTE, Config, Labels, Study
from .vectors import embed

ROOT: Final = Path(__file__).parents[2]
ENCODER: Final = ROOT / "model_repository" / "picture_encoder" / "1" / "model.onnx"
PLANNED_SEEDS: Final = 3
# Number of pictures, split, share of unsuitable pictures and first seed of each set. Measures weight the shares.
SETS: Final = {
    "start": (700, "train", 0.3, 10_000),
    "pool": (5000, "train", 0.04, 500),
    "validation": (2000, "validation", 0.06, 5500),
    "test": (4000, "test", 0.06, 7500),
}


class Drawn(NamedTuple):
    """Pictures of a set: pixels `[N, S, S, 3]`, whether each is unsuitable, and the number of what it shows, `[N]`."""

    pixels: ImagesNSS3
    truth: BoolsN
    identities: IntsN


def run(study: Study) -> Iterator[Outcome]:
    """Run the loop once, or read what is complete of it; yield what there is after each part."""
    labels, few_shot = retrieve(study)
    outcome = Outcome(few_shot, cold_start(study, labels))
    yield outcome
    launched = outcome.cold[MEAN_TEACHER]
    labels, model = first_round(study, labels, launched)
    first = labels, model
    rounds = [(len(labels), int(study.truth[labels.rows].sum()), model)]
    for number in range(2, 2 + study.config.rounds):
        labels, model = next_round(study, number, labels, model)
        rounds.append((len(labels), int(study.truth[labels.rows].sum()), model))
    outcome = replace(outcome, rounds=rounds)
    yield outcome
    suspected, cleaned = clean(study, labels, launched)
    wrong = study.annotators().ask(labels.rows) != study.truth[labels.rows]
    outcome = replace(outcome, wrong=wrong, suspected=suspected, cleaned=cleaned)
    yield outcome
    outcome = replace(outcome, seconds=second_networks(study, labels, model))
    yield outcome
    outcome = replace(outcome, selected=select(study, *first))
    yield outcome
    right = Labels(labels.rows, study.experts().ask(labels.rows))
    yield replace(outcome, attention=attend(study, right, launched))


def draw_sets(folder: Path) -> dict[str, Drawn]:
    """Draw the sets, or read those that are kept in `folder`."""
    return {name: _kept_set(folder / f"{name}.npz", *sizes) for name, sizes in SETS.items()}


def study_of(sets: dict[str, Drawn], config: Config, seed: int, folder: Path, encoder: Path) -> Study:
    """Return the repetition of the loop with a seed."""
    pictures, truth = (
        np.concatenate([getattr(sets[name], field) for name in ("start", "pool")]) for field in ("pixels", "truth")
    )
    size = config.trunk.size
    held_out = {name: _reduced(sets[name].pixels, size) for name in ("validation", "test")}
    runs = Runs(folder / f"seed_{seed}", held_out, seed)
    vectors = runs.keep("vectors", lambda: {"vectors": embed(encoder, pictures)})["vectors"]
    return Study(config, seed, _reduced(pictures, size), truth, vectors, len(sets["start"].truth), runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures and trainings")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="default: 1")
    parser.add_argument(
        "--strategies", nargs="+", choices=STRATEGIES, default=list(Config().strategies), metavar="NAME"
    )
    parser.add_argument("--size", type=int, default=32, help="pixels, 64 or 32; default: %(default)s")
    parser.add_argument("--steps", type=int, default=Config.steps, help="batches of a training; default: %(default)s")
    parser.add_argument("--encoder", type=Path, default=ENCODER, help="ONNX file of picture_encoder")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="folder for curation.{json,md,png}")
    args = parser.parse_args()
    config = Config(Trunk(args.size, 16), Trunk(args.size, 16, blocks=2), args.steps, strategies=tuple(args.strategies))
    try:
        claim(args.out, config)
    except ConfigError as exc:
        raise SystemExit(f"loop: {exc}") from exc
    sets = draw_sets(args.out / "sets")
    judge = Judge(sets["validation"].truth, sets["test"].truth, sets["test"].identities, PREVALENCE)
    sizes = {name: {"pictures": len(each.truth), "positives": int(each.truth.sum())} for name, each in sets.items()}
    about = {"config": asdict(config), "sets": sizes, "prevalence": PREVALENCE, "planned_seeds": PLANNED_SEEDS}
    outcomes: dict[int, Outcome] = {}
    for seed in args.seeds:
        for outcome in run(study_of(sets, config, seed, args.out, args.encoder)):
            outcomes[seed] = outcome
            if seed == args.seeds[0] or outcome.attention:
                write({**about, "seeds": list(outcomes), **content(judge, list(outcomes.values()))}, args.results)
    print(args.results / "curation.md")


def claim(folder: Path, config: Config) -> None:
    """Note the config in a folder, so that the trainings in it are of one config; strategies can be added.

    Raises:
        ConfigError: The folder holds trainings of another config.
    """
    about = {"config": asdict(replace(config, strategies=()))}
    check_finished_run(folder, about)
    write_report(folder / "report.json", **about)


def write(report: dict[str, Any], results: Path) -> None:
    """Write `curation.{json,md,png}`."""
    write_report(results / "curation.json", **report)
    (results / "curation.md").write_text(markdown(report), encoding="utf-8")
    save(partial(chart, report), results / "curation.png")


def _reduced(pictures: ImagesNSS3, size: int) -> ImagesNSS3:
    """Average square blocks of pixels, from `[N, S, S, 3]` to `[N, size, size, 3]`."""
    return np.stack([np.rint(block_means(each, size)).astype(np.uint8) for each in pictures])


def _kept_set(file: Path, count: int, split: str, share: float, first: int) -> Drawn:
    if not file.is_file():
        drawn = draw_pool(count, split, share, first)
        motif, design = (drawn.table[name].to_numpy(str) for name in ("motif", "design"))
        # A picture without a motif is an identity of its own.
        names = np.where(motif == "", drawn.table["seed"].to_numpy(str), np.char.add(motif, design))
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f"new_{file.name}")
        np.savez(new, pixels=drawn.pixels, truth=drawn.of(ATTRIBUTE) == 1, identities=pd.factorize(names)[0])
        new.replace(file)
    with np.load(file) as arrays:
        return Drawn(**arrays)


if __name__ == "__main__":
    main()
