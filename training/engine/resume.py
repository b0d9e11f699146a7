"""What a run keeps after each epoch, so that a process killed at any moment changes nothing but the time it takes.

Everything that the next epoch depends on is in one file, replaced in one step: weights, optimizer, the seeds of
dropout, which `keras.callbacks.BackupAndRestore` leaves out, and the history, which knows the best epoch.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from ..data.bad_rows import BadRows
from ..gender.config import Config, ConfigError


class Progress(keras.callbacks.Callback):
    """Writes below `out` after each epoch `model.keras` (if it is the best one), `resume.npz` and `history.csv`.

    `history` has the logs of all epochs so far, those of an interrupted process included.
    """

    def __init__(self, out: Path, config: Config, monitor: str, bad: BadRows) -> None:
        """`monitor` names the log whose smallest value is the best."""
        super().__init__()
        self.history: list[dict[str, Any]] = []
        self._out, self._config, self._monitor, self._bad = out, json.dumps(asdict(config)), monitor, bad

    def restore(self, model: keras.Model) -> None:
        """Put a compiled model where an interrupted run left it, if there is one.

        Raises:
            ConfigError: that run has another config.
        """
        model.optimizer.build(model.trainable_variables)
        if not self._file.is_file():
            return
        with np.load(self._file) as state:
            told = json.loads(str(state["told"]))
            if told["config"] != self._config:
                raise ConfigError(f"{self._file}: an interrupted run of another config; remove it or use another --out")
            for index, variable in enumerate(_variables(model)):
                variable.assign(state[str(index)])
        self.history = told["history"]
        self._bad.restore(told["bad"])
        self._write_history()

    def finish(self) -> None:
        """Forget: the run is complete, the next one starts anew."""
        self._file.unlink(missing_ok=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {name: float(value) for name, value in (logs or {}).items()}
        if not self.history or logs[self._monitor] < min(past[self._monitor] for past in self.history):
            self.model.save(self._out / "new.keras")
            (self._out / "new.keras").replace(self._out / "model.keras")
        self.history.append({"epoch": epoch, **logs})
        self._save()
        self._write_history()

    @property
    def _file(self) -> Path:
        return self._out / "resume.npz"

    def _save(self) -> None:
        told = json.dumps({"config": self._config, "history": self.history, "bad": self._bad.state()})
        values = {str(i): keras.ops.convert_to_numpy(each) for i, each in enumerate(_variables(self.model))}
        np.savez(self._out / "new.npz", told=np.array(told), **values)
        (self._out / "new.npz").replace(self._file)

    def _write_history(self) -> None:
        pd.DataFrame(self.history).to_csv(self._out / "history.csv", index=False)


def _variables(model: keras.Model) -> list[Any]:
    """All that training changes, in an order that the architecture decides."""
    return [*model.variables, *model.optimizer.variables]
