"""At which size S to look at avatars: accuracy against milliseconds, measured side by side.

    python -m conversion.image_size --config training/gender/configs/mobilenet.py --data runs/data/manifest.csv \
        --out runs/sizes --imagenet WEIGHTS.npz --text runs/nickname/model.keras

Trains the config at each size and times the fp32 ONNX models in turns, one user at a time on one thread. Writes
`results/image_size.{json,md}`. A size that is trained is not trained again when the same command is given again.
"""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from training.data.manifest import ManifestError
from training.evaluation.platt import PlattScaling
from training.gender.config import Config, ConfigError, load_config
from training.gender.evaluate import evaluate
from training.gender.model import load_model, serving_model
from training.gender.train import Start, train
from training.report import write_report

from .export import to_onnx

ROOT: Final = Path(__file__).parent.parent
ROUNDS: Final = 15
CALLS: Final = 20


def trained(config: Config, manifest: Path, out: Path, start: Start) -> Path:
    """The run of a config, trained if it is not yet."""
    if not (out / "report.json").is_file():
        train(config, manifest, out, start)
    return out


def milliseconds(runs: dict[int, Path], rounds: int = ROUNDS, calls: int = CALLS) -> dict[int, NDArray[np.float64]]:
    """Median time of one user's answer in each round, ms [rounds], by size; every round has all sizes in turn."""
    sessions = {size: _session(run / "model.keras") for size, run in runs.items()}
    found: dict[int, list[float]] = {size: [] for size in runs}
    for _ in range(rounds):
        for size, session in sessions.items():
            found[size].append(_median_ms(session, size, calls))
    return {size: np.array(times) for size, times in found.items()}


def summarize(times: dict[int, NDArray[np.float64]], slices: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """By size: ms with its quartiles, the ratio of each round to that of the served size, and the test metrics."""
    reference = times.get(IMAGE_SIZE, next(iter(times.values())))
    return {
        size: {
            "ms": _quartiles(ms),
            "ratio": _quartiles(ms / reference),
            "test": slices[size],
        }
        for size, ms in times.items()
    }


def markdown(sizes: dict[int, dict[str, Any]]) -> str:
    """The document, from what `summarize` returned."""
    lines = [
        f"| {size} | {row['test']['all']['accuracy']:.1%} ({row['test']['all']['accuracy_low']:.1%} to "
        f"{row['test']['all']['accuracy_high']:.1%}) | {row['test']['all']['auc']:.3f} | {row['ms']['median']:.1f} "
        f"({row['ms']['low']:.1f} to {row['ms']['high']:.1f}) | {row['ratio']['median']:.2f} |"
        for size, row in sizes.items()
    ]
    return f"""# At which size to look at avatars

Written by `python -m conversion.image_size`, like `image_size.json` beside it, which has machine, date and config. The
same config at each size; accuracy on the test split with its 95 % interval, time of the fp32 model on one thread with
its quartiles, and the ratio to the served size, {IMAGE_SIZE}.

| S | accuracy | AUC | ms | ratio |
|---|---|---|---|---|
{chr(10).join(lines)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--imagenet", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--epochs", type=int, help="instead of the config's")
    parser.add_argument("--sizes", nargs="+", type=int, default=[128, 160, 224])
    args = parser.parse_args()
    try:
        config = load_config(args.config)
        config = replace(config, epochs=args.epochs or config.epochs)
        report(config, args.sizes, args.data, args.out, Start(imagenet=args.imagenet, text=args.text), ROOT / "results")
    except (ManifestError, ConfigError, FileNotFoundError) as exc:
        raise SystemExit(f"image_size: {exc}") from exc


def report(config: Config, sizes: Iterable[int], manifest: Path, out: Path, start: Start, results: Path) -> None:
    """Train, measure and write the documents to the folder `results`."""
    runs = {size: trained(replace(config, image_size=size), manifest, out / str(size), start) for size in sizes}
    found = summarize(milliseconds(runs), {size: evaluate(run, manifest, "test") for size, run in runs.items()})
    write_report(results / "image_size.json", manifest=manifest.name, config=config, sizes=found)
    (results / "image_size.md").write_text(markdown(found), encoding="utf-8")


def _session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = to_onnx(serving_model(load_model(file), PlattScaling()))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _median_ms(session: onnxruntime.InferenceSession, size: int, calls: int) -> float:
    user = {
        IMAGE: np.zeros((1, size, size, 3), np.uint8),
        TOKENS: np.ones((1, MAX_TOKENS), np.int32),
        PRESENT: np.ones((1, 2), np.bool_),
    }
    times = []
    for _ in range(calls):
        start = perf_counter()
        session.run(None, user)
        times.append(perf_counter() - start)
    return 1000 * float(np.median(times))


def _quartiles(values: NDArray[np.float64]) -> dict[str, float]:
    low, median, high = np.percentile(values, (25, 50, 75))
    return {"median": round(float(median), 3), "low": round(float(low), 3), "high": round(float(high), 3)}


if __name__ == "__main__":
    main()
