"""A small training run, slow enough to be killed in the middle of an epoch.

python -m tests.support.training.killed_run MANIFEST OUT
"""

import sys
import time
from pathlib import Path
from typing import Any

from tests.support.training.eager import eagerly
from tests.support.training.stand_in import small_towers
from training.engine.resume import Checkpoint
from training.gender.config import Config
from training.gender.train import train

CONFIG = Config(backbone="", epochs=3, batch=8, steps_per_epoch=5, max_bad_rows=0.1)


def run(manifest: Path, out: Path) -> None:
    """Train a small model."""
    with small_towers(), eagerly():
        train(CONFIG, manifest, out)


def print_step(self: Checkpoint, batch: int, logs: Any = None) -> None:
    """Print the step, then wait to be killed."""
    print(f"epoch {len(self.history)} step {batch}", flush=True)
    time.sleep(0.1)


if __name__ == "__main__":
    Checkpoint.on_train_batch_end = print_step
    run(Path(sys.argv[1]), Path(sys.argv[2]))
