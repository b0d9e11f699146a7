"""A run that may be a process of its own, to be killed: `python -m tests.support.training.killed_run <manifest> <out>`."""

import sys
import time
from pathlib import Path
from typing import Any

from tests.support.training.stand_in import small_towers
from training.engine.resume import Checkpoint
from training.gender.config import Config
from training.gender.train import train

CONFIG = Config(backbone="", epochs=3, batch=8, steps_per_epoch=5, max_bad_rows=0.1)


def run(manifest: Path, out: Path) -> None:
    """Train a small network."""
    with small_towers():
        train(CONFIG, manifest, out)


def tell(self: Checkpoint, batch: int, logs: Any = None) -> None:
    """Which step is done; then wait, so that there is a middle of an epoch to be killed in."""
    print(f"epoch {len(self.history)} step {batch}", flush=True)
    time.sleep(0.1)


if __name__ == "__main__":
    Checkpoint.on_train_batch_end = tell
    run(Path(sys.argv[1]), Path(sys.argv[2]))
