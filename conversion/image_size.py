"""Measure the accuracy and the latency of a config at several avatar sizes.

    python -m conversion.image_size --config training/gender/configs/mobilenet.py --data runs/data/manifest.csv \
        --out runs/sizes --imagenet WEIGHTS.npz --text runs/nickname/model.keras

Trains the config at each size and measures the fp32 ONNX models in turns, one user at a time on one thread. Writes
`results/image_size.{json,md}`. If you repeat the command, finished sizes are not trained again.
"""

import argparse
import timeit
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from training.data.labels import add_label_map
from training.evaluation.platt import PlattScaling
from training.gender.build import Pretrained
from training.gender.config import Config, load_config
from training.gender.evaluate import evaluate
from training.gender.model import load_model, serving_model
from training.gender.train import is_trained, train
from training.report import markdown_table, write_report

from .errors import FAILURES
from .export import to_onnx

ROOT: Final = Path(__file__).parent.parent
ROUNDS: Final = 15
CALLS: Final = 20

# Median latency of each round, in ms, [rounds].
Latencies = NDArray[np.float64]


def report(
    config: Config, sizes: Iterable[int], manifest: Path, out: Path, pretrained: Pretrained, results: Path
) -> None:
    """Train, measure and write `image_size.json` and `image_size.md` to the folder `results`.

    Raises:
        ConfigError: `out` has runs of another config.
    """
    runs = {size: out / str(size) for size in sizes}
    for size, run in runs.items():
        of_size = replace(config, image_size=size)
        if not is_trained(of_size, manifest, run, pretrained):
            train(of_size, manifest, run, pretrained)
    rows = summarize(latencies_ms(runs), {size: evaluate(run, manifest, "test") for size, run in runs.items()})
    write_report(results / "image_size.json", manifest=manifest.name, config=config, sizes=rows)
    (results / "image_size.md").write_text(markdown(rows), encoding="utf-8")


def latencies_ms(runs: dict[int, Path]) -> dict[int, Latencies]:
    """Measure the latency of one user at each size; every round measures all sizes in turn."""
    sessions = {size: _session(run / "model.keras") for size, run in runs.items()}
    rounds = [[_median_ms(session, size) for size, session in sessions.items()] for _ in range(ROUNDS)]
    return dict(zip(sessions, np.array(rounds).T, strict=True))


def summarize(latencies: dict[int, Latencies], metrics: dict[int, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return, by size, the latency, its ratio within each round to that of the served size, and the test metrics."""
    reference = latencies.get(IMAGE_SIZE, next(iter(latencies.values())))
    return {
        str(size): {"ms": _quartiles(ms), "ratio": _quartiles(ms / reference), "test": metrics[size]}
        for size, ms in latencies.items()
    }


def markdown(sizes: dict[str, dict[str, Any]]) -> str:
    """Return the document, from the output of `summarize`."""
    rows = [
        (
            size,
            "{accuracy:.1%} ({accuracy_low:.1%} to {accuracy_high:.1%})".format(**row["test"]["all"]),
            f"{row['test']['all']['auc']:.3f}",
            "{median:.1f} ({low:.1f} to {high:.1f})".format(**row["ms"]),
            f"{row['ratio']['median']:.2f}",
        )
        for size, row in sizes.items()
    ]
    return f"""# Avatar size: accuracy against latency

Written by `python -m conversion.image_size`. `image_size.json` has the machine, the date and the config.

The same config is trained once at each size of S×S pixels. Accuracy is on the test split, with its 95% interval for
other users; another seed changes it, too, so a difference within the intervals says nothing. Latency is that of the
fp32 ONNX model for one user on one thread, with its quartiles. The ratio is to the served size, {IMAGE_SIZE}.

{markdown_table(rows, ("S", "accuracy", "AUC", "ms", "ratio"))}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--imagenet", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--epochs", type=int, help="override the config's")
    parser.add_argument("--sizes", nargs="+", type=int, default=[IMAGE_SIZE, 160, 224])
    add_label_map(parser)
    args = parser.parse_args()
    try:
        config = load_config(args.config)
        config = replace(config, epochs=args.epochs or config.epochs).with_label_map(args.label_map)
        pretrained = Pretrained(imagenet=args.imagenet, text=args.text)
        report(config, args.sizes, args.data, args.out, pretrained, ROOT / "results")
    except FAILURES as exc:
        raise SystemExit(f"image_size: {exc}") from exc


def _session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = to_onnx(serving_model(load_model(file), PlattScaling()))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _median_ms(session: onnxruntime.InferenceSession, size: int) -> float:
    user = {
        IMAGE: np.zeros((1, size, size, 3), np.uint8),
        TOKENS: np.ones((1, MAX_TOKENS), np.int32),
        PRESENT: np.ones((1, 2), np.bool_),
    }
    return 1000 * median(timeit.repeat(lambda: session.run(None, user), repeat=CALLS, number=1))


def _quartiles(values: NDArray[np.float64]) -> dict[str, float]:
    quartiles = np.percentile(values, (25, 50, 75)).round(3).tolist()
    return dict(zip(("low", "median", "high"), quartiles, strict=True))


if __name__ == "__main__":
    main()
