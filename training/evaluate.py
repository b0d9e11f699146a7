"""Measure a trained model on a split, overall and slice by slice.

    python -m training.evaluate --run runs/mobilenet --data runs/data/manifest.csv

Prints a table and writes `<run>/evaluation_<split>.json`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .calibrate import sigmoid
from .data.batches import Users, prepare_users
from .data.manifest import SPLITS, ManifestError, read_manifest
from .metrics import summary
from .model import load_model, predict_logits
from .report import write_report

SHOWN = {(True, True): "both", (True, False): "avatar only", (False, True): "nickname only", (False, False): "nothing"}


def evaluate(run: Path, manifest: Path, split: str) -> dict[str, dict[str, float | int]]:
    """Evaluate `run/model.keras` with its fitted temperature; returns the slices and writes the JSON.

    Raises:
        ManifestError: the manifest cannot be used, or has no rows in the split.
        FileNotFoundError: no finished run in that folder.
    """
    report = json.loads((run / "report.json").read_text())
    table = read_manifest(manifest)
    table = table[table["split"] == split]
    if table.empty:
        raise ManifestError(f"{manifest}: no rows in the split {split!r}")
    users = prepare_users(table)
    logits = predict_logits(load_model(run / "model.keras"), users)
    slices = by_slice(table, users, sigmoid(logits / report["temperature"])[:, 0])
    write_report(run / f"evaluation_{split}.json", manifest=manifest.name, split=split, slices=slices)
    return slices


def by_slice(table: pd.DataFrame, users: Users, female: NDArray[Any]) -> dict[str, dict[str, float | int]]:
    """Metrics of P(female) over all users, by what a user shows, and by the source of the row."""
    shown = np.array([SHOWN[bool(avatar), bool(nickname)] for avatar, nickname in users.present])
    groups = {"all": np.ones(len(users), np.bool_)}
    groups |= {name: shown == name for name in SHOWN.values() if (shown == name).any()}
    groups |= {f"source {name}": (table["source"] == name).to_numpy() for name in sorted(set(table["source"]))}
    return {name: summary(users.female[rows, 0], female[rows]) for name, rows in groups.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training.train")
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL or Parquet")
    parser.add_argument("--split", choices=SPLITS, default="test")
    args = parser.parse_args()
    try:
        print(pd.DataFrame(evaluate(args.run, args.data, args.split)).T.to_string())
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"evaluate: {exc}") from exc


if __name__ == "__main__":
    main()
