"""Checkpoint a run after each epoch, so that a killed run continues to the same result.

One file, replaced atomically, holds everything that the next epoch depends on: weights, optimizer, history (which
knows the best epoch), and the dropout seeds, which `keras.callbacks.BackupAndRestore` omits.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from ..data.bad_rows import BadRows
from .errors import ConfigError


class Checkpoint(keras.callbacks.Callback):
    """Writes `model.keras` (the best epoch), `resume.npz` and `history.csv` below `out` after each epoch.

    `history` holds the logs of all epochs, including those of an interrupted process.
    """

    def __init__(self, out: Path, config: Mapping[str, Any], monitor: str, bad_rows: BadRows) -> None:
        """Checkpoint a run of `config`. The smallest value of the log `monitor` marks the best epoch."""
        super().__init__()
        self.history: list[dict[str, Any]] = []
        self._out, self._config, self._monitor, self._bad_rows = out, json.dumps(config), monitor, bad_rows
        self._file = out / "resume.npz"

    def restore(self, model: keras.Model) -> None:
        """Restore a compiled model from an interrupted run, if there is one.

        Raises:
            ConfigError: The interrupted run has another config.
        """
        model.optimizer.build(model.trainable_variables)
        if not self._file.is_file():
            return
        with np.load(self._file) as arrays:
            state = json.loads(str(arrays["state"]))
            if state["config"] != self._config:
                raise ConfigError(
                    f"{self._file}: an interrupted run has another config; remove the file or use another --out"
                )
            for index, variable in enumerate(_variables(model)):
                variable.assign(arrays[str(index)])
        self.history = state["history"]
        self._bad_rows.restore(state["bad"])
        self._write_history()

    def finish(self) -> None:
        """Delete the saved state of a complete run."""
        self._file.unlink(missing_ok=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {name: float(value) for name, value in (logs or {}).items()}
        if not self.history or logs[self._monitor] < min(past[self._monitor] for past in self.history):
            self.model.save(self._out / "new.keras")
            (self._out / "new.keras").replace(self._out / "model.keras")
        self.history.append({"epoch": epoch, **logs})
        self._save()
        self._write_history()

    def _save(self) -> None:
        state = json.dumps({"config": self._config, "history": self.history, "bad": self._bad_rows.state()})
        arrays = {str(i): keras.ops.convert_to_numpy(each) for i, each in enumerate(_variables(self.model))}
        np.savez(self._out / "new.npz", state=np.array(state), **arrays)
        (self._out / "new.npz").replace(self._file)

    def _write_history(self) -> None:
        pd.DataFrame(self.history).to_csv(self._out / "history.csv", index=False)


def _variables(model: keras.Model) -> list[Any]:
    """Return everything that training changes, in an order that the architecture determines."""
    return [*model.variables, *model.optimizer.variables]
