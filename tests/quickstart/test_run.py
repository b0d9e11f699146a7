"""`make run` and `make serve` as a person runs them: a process, a real Triton, a table, a picture."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image

from quickstart.samples import drawn_samples
from tests.support.tritonserver import ROOT

COMMAND = (sys.executable, "-m", "quickstart")


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *args], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_predictions_table_and_picture(tmp_path: Path) -> None:
    picture = tmp_path / "out" / "answers.png"
    done = run("--picture", str(picture))
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " densenet " in line or " mobilenet " in line]
    assert len(lines) == 2 * len(drawn_samples())
    assert any("X国强" in line for line in lines)
    assert sum(" male " in line or " female " in line for line in lines) >= len(drawn_samples())
    with Image.open(picture) as image:
        assert image.width > 1000
        assert len(image.convert("RGB").getcolors(maxcolors=2**24) or ()) > 1000


def test_a_bad_picture_is_one_refused_line(tmp_path: Path) -> None:
    (tmp_path / "nicknames.csv").write_text("file,nickname\nbroken.jpg,小美\n,Kevin\n", encoding="utf-8")
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    done = run("--samples", str(tmp_path), "--picture", str(tmp_path / "answers.png"))
    assert done.returncode == 0, done.stderr
    assert "not an image" in " ".join(done.stdout.split())
    assert "Kevin" in done.stdout
    assert (tmp_path / "answers.png").stat().st_size > 1000


def test_a_wrong_folder_is_one_line() -> None:
    done = run("--samples", "nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("first_run: nowhere is not a folder")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.1, 1.0])
def test_stopped_while_starting_leaves_nothing(number: signal.Signals, after_s: float) -> None:
    marker = f"FIRST_RUN_TEST={uuid4().hex}"
    name, value = marker.split("=")
    with subprocess.Popen(
        COMMAND, cwd=ROOT, env={**os.environ, name: value}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        assert processes_with(marker) >= {process.pid}
        time.sleep(after_s)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in errors
    assert processes_with(marker) == set()


def processes_with(marker: str) -> set[int]:
    """The processes that have `marker` in their environment, which children inherit."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if marker.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.add(int(folder.name))
    return found
