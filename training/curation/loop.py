r"""The loop of article 003 on drawn pictures of known truth, and each of its ideas against alternatives.

    OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 python -m training.curation.loop --weights MOBILENETV2.npz \
        --out runs/curation

Few-shot start → Mean Teacher → rounds of recall, choice, labels, O2U and training → cascade with hard examples,
measured at the true prevalence. Networks start from ImageNet's MobileNetV2, whose first blocks are frozen; without
`--weights`, they are small residual networks and start from nothing. Writes `results/curation.{json,md,png}`. If you
repeat the command, it continues after the last complete training; a complete seed is only read. The results are written
after each part of the first seed, and after each further seed.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from figures.save import save

from ..arrays import FloatsND
from ..engine.errors import ConfigError
from ..engine.resume import check_finished_run
from ..report import write_report
from ..synthetic.defects import PREVALENCE
from .cold_start import MEAN_TEACHER, cold_start, retrieve
from .comparisons import STRATEGIES, attend, clean, second_networks, select, share
from .frozen import UpperBlocks
from .loop_report import chart, markdown
from .network import Trunk
from .pictures import SIZE
from .results import Judge, Outcome, content
from .rounds import first_round, next_round
from .runs import Runs, keep
from .sets import Drawn, Seen, draw_sets, see
from .study import Config, Labels, Study
from .vectors import embed

ROOT: Final = Path(__file__).parents[2]
ENCODER: Final = ROOT / "model_repository" / "picture_encoder" / "1" / "model.onnx"
PLANNED_SEEDS: Final = 3


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
    outcome = replace(outcome, selected=select(study, *first))
    yield outcome
    suspected, cleaned = clean(study, labels, launched)
    wrong = study.annotators().ask(labels.rows) != study.truth[labels.rows]
    outcome = replace(outcome, wrong=wrong, suspected=suspected, cleaned=cleaned)
    yield outcome
    outcome = replace(outcome, seconds=second_networks(study, labels, model))
    yield outcome
    right = Labels(labels.rows, study.experts().ask(labels.rows))
    outcome = replace(outcome, attention=attend(study, right, launched))
    yield outcome
    yield replace(outcome, tasks=share(study, labels.rows))


def study_of(sets: dict[str, Drawn], seen: Seen, vectors: FloatsND, config: Config, seed: int, folder: Path) -> Study:
    """Return the repetition of the loop with a seed."""
    labels = np.concatenate([sets[name].labels for name in ("start", "pool")])
    truth = np.concatenate([sets[name].truth for name in ("start", "pool")])
    held_out = {"validation": seen.validation, "test": seen.test}
    runs = Runs(folder / f"seed_{seed}", held_out, seed, seen.initial)
    return Study(config, seed, seen.pictures, labels, truth, vectors, len(sets["start"].labels), runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures and trainings")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="default: 1")
    parser.add_argument(
        "--strategies", nargs="+", choices=STRATEGIES, default=list(Config().strategies), metavar="NAME"
    )
    parser.add_argument("--size", type=int, default=SIZE, help="pixels, 64 or 32; default: %(default)s")
    parser.add_argument("--steps", type=int, default=Config.steps, help="batches of a training; default: %(default)s")
    parser.add_argument("--weights", type=Path, help="npz of ImageNet weights of MobileNetV2 to start from")
    parser.add_argument("--encoder", type=Path, default=ENCODER, help="ONNX file of picture_encoder")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="folder for curation.{json,md,png}")
    args = parser.parse_args()
    config = config_of(args.size, args.steps, args.weights is not None, tuple(args.strategies))
    kept = args.out / "sets"
    try:
        claim(args.out, config, weights=args.weights, encoder=args.encoder)
        sets = draw_sets(kept)
        seen = see(sets, args.size, args.weights, kept)
    except (ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"loop: {exc}") from exc
    pixels = np.concatenate([sets[name].pixels for name in ("start", "pool")])
    vectors = keep(kept / "vectors.npz", lambda: {"vectors": embed(args.encoder, pixels)})["vectors"]
    test = sets["test"]
    judge = Judge(sets["validation"].truth, test.truth, test.identities, test.labels, PREVALENCE)
    sizes = {name: {"pictures": len(each.truth), "positives": int(each.truth.sum())} for name, each in sets.items()}
    about = {"config": asdict(config), "sets": sizes, "prevalence": PREVALENCE, "planned_seeds": PLANNED_SEEDS}
    outcomes: dict[int, Outcome] = {}
    for seed in args.seeds:
        for outcome in run(study_of(sets, seen, vectors, config, seed, args.out)):
            outcomes[seed] = outcome
            if seed == args.seeds[0] or outcome.tasks:
                write({**about, "seeds": list(outcomes), **content(judge, list(outcomes.values()))}, args.results)
    print(args.results / "curation.md")


def config_of(size: int, steps: int, pretrained: bool, strategies: tuple[str, ...]) -> Config:
    """Return the config of a loop whose networks start from ImageNet, or from nothing."""
    if pretrained:
        trunk, second = UpperBlocks(size), UpperBlocks(size, last=11)
        return Config(trunk, second, steps, learning_rate=1e-3, strategies=strategies)
    return Config(Trunk(size), Trunk(size, blocks=2), steps, strategies=strategies)


def claim(folder: Path, config: Config, **files: Path | None) -> None:
    """Note config and files in a folder, so that the trainings in it are of the same; strategies can be added.

    Raises:
        ConfigError: The folder holds trainings of another config or other files.
        FileNotFoundError: A file does not exist.
    """
    digests = {name: file and sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
    about = {"config": asdict(replace(config, strategies=())), **digests}
    check_finished_run(folder, about)
    write_report(folder / "report.json", **about)


def write(report: dict[str, Any], results: Path) -> None:
    """Write `curation.{json,md,png}`."""
    write_report(results / "curation.json", **report)
    (results / "curation.md").write_text(markdown(report), encoding="utf-8")
    save(partial(chart, report), results / "curation.png")


if __name__ == "__main__":
    main()
