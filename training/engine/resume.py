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

    def __init__(
        self,
        out: Path,
        run: Mapping[str, Any],
        monitor: str | None,
        bad_rows: BadRows,
        kept: keras.Model | None = None,
    ) -> None:
        """Checkpoint a run.

        Args:
            out: Folder of the run.
            run: Its config and data as JSON values.
            monitor: The log whose smallest value marks the best epoch; without it, the last epoch is the best.
            bad_rows: The unusable rows so far.
            kept: The part of the trained model that becomes `model.keras`; by default all of it.
        """
        super().__init__()
        self.history: list[dict[str, Any]] = []
        self._out, self._run, self._monitor, self._bad_rows = out, run, monitor, bad_rows
        self._file, self._kept = out / "resume.npz", kept

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
            _refuse_another(f"{self._file}: an interrupted run", state["run"], self._run)
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
        if self._monitor is None or all(logs[self._monitor] < past[self._monitor] for past in self.history):
            (self._kept or self.model).save(self._out / "new.keras")
            (self._out / "new.keras").replace(self._out / "model.keras")
        self.history.append({"epoch": epoch, **logs})
        self._save()
        self._write_history()

    def _save(self) -> None:
        state = json.dumps({"run": self._run, "history": self.history, "bad": self._bad_rows.state()})
        arrays = {str(i): keras.ops.convert_to_numpy(each) for i, each in enumerate(_variables(self.model))}
        np.savez(self._out / "new.npz", state=np.array(state), **arrays)
        (self._out / "new.npz").replace(self._file)

    def _write_history(self) -> None:
        pd.DataFrame(self.history).to_csv(self._out / "history.csv", index=False)


def check_finished_run(out: Path, run: Mapping[str, Any]) -> None:
    """Check that the finished run in `out`, if there is one, is `run`: training again gives the same result.

    Raises:
        ConfigError: Another run would be overwritten. The message names what differs.
    """
    file = out / "report.json"
    if file.is_file():
        report = json.loads(file.read_text(encoding="utf-8"))
        _refuse_another(f"{out}: a finished run", {name: report.get(name) for name in run}, run)


def _refuse_another(subject: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    before, now = _leaves(old), _leaves(new)
    if names := [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]:
        changes = "; ".join(f"{name} was {before.get(name)!r}, is now {now.get(name)!r}" for name in names)
        raise ConfigError(f"{subject} has another config: {changes}; use another --out or remove this run")


def _leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings to dotted names."""
    leaves: dict[str, Any] = {}
    for name, value in json.loads(json.dumps(values)).items():
        leaves |= _leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return leaves


def _variables(model: keras.Model) -> list[Any]:
    """Return everything that training changes, in an order that the architecture determines."""
    return [*model.variables, *model.optimizer.variables]
