"""One process at a time trains a run."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until
from training.engine.errors import ConfigError
from training.engine.exclusive import exclusive

SCRIPT = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from training.engine.exclusive import end_with_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), end_with_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 60).result()
"""


def test_second_training_in_a_folder_is_refused(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(ConfigError, match="another process trains there"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        """The lock of a finished training is free."""


def test_worker_ends_with_a_killed_command(tmp_path: Path) -> None:
    script = tmp_path / "command.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout
        worker = psutil.Process(int(command.stdout.readline()))
        command.kill()
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
