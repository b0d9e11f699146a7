"""`make run` and `make serve` as a person runs them: a process, a real Triton, a table, a picture."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from server.first_run.samples import drawn_samples
from tests.tritonserver import ROOT

COMMAND = (sys.executable, "-m", "server.first_run")


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
def test_stopped_while_starting_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen([*COMMAND], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in errors
