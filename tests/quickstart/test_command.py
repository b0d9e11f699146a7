"""`make run` as a process of its own, with a real Triton."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import nullcontext, suppress
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from genderclient import Client
from quickstart import command as quickstart
from quickstart.samples import read_samples
from tests.support.pictures import encode, noise, png_of_size
from tests.support.tritonserver import ROOT, Server, free_ports
from training.synthetic.sample_users import sample_users

COMMAND = (sys.executable, "-m", "quickstart")
# What a Python with requirements/serve.txt alone cannot import.
WITHOUT_TRAINING = """
import sys
for name in ("tensorflow", "keras", "scipy", "sklearn", "pandas", "pyarrow", "emoji", "tqdm"):
    sys.modules[name] = None
import quickstart.command, quickstart.demo.command, quickstart.picture, quickstart.ranked_cards
import quickstart.similar_cards, quickstart.table
"""


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *args], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_run_prints_table_and_writes_picture(tmp_path: Path) -> None:
    picture = tmp_path / "out" / "samples.png"
    done = run("--picture", str(picture))
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " densenet " in line or " mobilenet " in line]
    assert len(lines) == 2 * len(sample_users())
    assert any("X国强" in line for line in lines)
    assert sum(" male " in line or " female " in line for line in lines) >= len(sample_users())
    with Image.open(picture) as image:
        assert image.width == 900
        assert len(image.convert("RGB").getcolors(maxcolors=256) or ()) > 100
    for name in ("samples_cards.png", "samples_similar.png"):
        with Image.open(picture.with_name(name)) as image:
            assert len(image.convert("RGB").getcolors(maxcolors=256) or ()) > 100


def test_broken_image_is_one_rejected_row(
    triton: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nicknames.csv").write_text(
        "file,nickname\nbroken.jpg,小美\nunended.jpg,a\ndeep.png,b\nempty.png,c\nhuge.png,d\n,Kevin\n", encoding="utf-8"
    )
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    (tmp_path / "unended.jpg").write_bytes(encode(noise(), "JPEG")[:-2])
    (tmp_path / "empty.png").write_bytes(b"")
    Image.fromarray(np.arange(64**2, dtype=np.uint16).reshape(64, 64)).save(tmp_path / "deep.png")
    (tmp_path / "huge.png").write_bytes(png_of_size(20_000, 20_000))
    monkeypatch.setattr(quickstart, "running_triton", lambda _: nullcontext(triton))
    quickstart.run(read_samples(tmp_path), tmp_path / "samples.png")
    printed = capsys.readouterr().out
    assert "AVATAR:" in printed
    assert "broken.jpg" in printed
    assert "Kevin" in printed
    assert (tmp_path / "samples.png").stat().st_size > 1000


def test_error_is_one_line() -> None:
    done = run("--samples", "nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("quickstart: nowhere is not a folder")
    assert len(done.stderr.splitlines()) == 1


def test_picture_that_cannot_be_written_fails_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("--picture", str(tmp_path / "file" / "samples.png"))
    assert done.returncode == 1
    assert re.fullmatch(r"quickstart: .*file.*\n", done.stderr)
    assert not done.stdout


def test_reader_that_ends_early_gets_no_message(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--picture", str(tmp_path / "samples.png")], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_serve_uses_the_given_ports() -> None:
    http, grpc, metrics, ready = free_ports(4)
    ports = (f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}", f"--ready-port={ready}")
    with subprocess.Popen(
        [*COMMAND, "--serve", *ports], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            banner = process.stdout.readline() + process.stdout.readline()
            for url in (f"grpc://127.0.0.1:{grpc}", f"http://127.0.0.1:{http}"):
                with Client(url) as client:
                    assert client.predict(nickname="X国强").gender == "male"
            for path in (f"{metrics}/metrics", f"{ready}/ready"):
                with urllib.request.urlopen(f"http://127.0.0.1:{path}") as response:
                    assert response.status in (200, 204)
            assert re.findall(r"127\.0\.0\.1:(\d+)", banner) == [str(grpc), str(http), str(metrics), str(ready)]
            assert f"GENDERCLIENT_URL=grpc://127.0.0.1:{grpc} " in process.stdout.readline() + process.stdout.readline()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def test_make_serve_passes_ports() -> None:
    command = ("make", "-n", "serve", "HTTP_PORT=9000", "READY_PORT=9003")
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"--(\w+)-port=(\d+)", printed) == [
        *(("http", "9000"), ("grpc", "8001"), ("metrics", "8002"), ("ready", "9003")),
    ]


@pytest.mark.parametrize("ports", [("--http-port=0",), ("--grpc-port=x",), ("--http-port=9001", "--grpc-port=9001")])
def test_impossible_ports_are_refused(
    ports: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["quickstart", "--serve", *ports])
    with pytest.raises(SystemExit, match="2"):
        quickstart.main()
    assert "expected" in capsys.readouterr().err


def test_impossible_port_of_the_demo_is_refused() -> None:
    command = (sys.executable, "-m", "quickstart.demo", "--port=70000")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "expected a port from 1 to 65535" in done.stderr) == (2, True)


def test_quickstart_needs_serving_packages_only() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_TRAINING], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("number", "after_s"), [(signal.SIGTERM, 0.0), (signal.SIGINT, 0.01), (signal.SIGTERM, 0.1), (signal.SIGINT, 1.0)]
)
def test_signal_while_starting_leaves_no_process(number: signal.Signals, after_s: float) -> None:
    variable = {"QUICKSTART_TEST": uuid4().hex}
    with subprocess.Popen(
        COMMAND, cwd=ROOT, env=os.environ | variable, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        assert processes_with(variable) >= {process.pid}
        time.sleep(after_s)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in errors
    assert processes_with(variable) == set()


@pytest.mark.parametrize("package", ["quickstart", "quickstart.demo"])
def test_ctrl_c_during_the_imports_prints_nothing(package: str) -> None:
    with subprocess.Popen((sys.executable, "-m", package), cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        while "numpy" not in Path(f"/proc/{process.pid}/maps").read_text():
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (-signal.SIGINT, "")


def processes_with(variable: dict[str, str]) -> set[int]:
    """The processes with this environment variable, which children inherit."""
    ((name, value),) = variable.items()
    pids = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{name}={value}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                pids.add(int(folder.name))
    return pids
