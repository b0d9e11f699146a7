"""A running demo page, and a Chromium to look at it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import notojp_matplotlib
from playwright.sync_api import Browser, sync_playwright

from tests.support.tritonserver import ROOT, free_ports

CHROMIUM = shutil.which("chromium")
START_S = 200
# Chinese characters also where the system has no font for them.
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include><dir>{folder}</dir></fontconfig>"""


@contextmanager
def running_demo() -> Iterator[str]:
    """The address of a demo page, started as `make demo` starts it. Its output must not contain a nickname."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "quickstart.demo", f"--port={port}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            _wait_until_up(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            printed = process.communicate(timeout=30)[0]
    assert "小美" not in printed
    assert "Traceback" not in printed, printed


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """The system's Chromium, with a camera that shows a test picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        fonts = Path(folder, "fonts.conf")
        fonts.write_text(FONTS.format(folder=Path(notojp_matplotlib.__file__).parent))
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--no-sandbox"],
            env={**os.environ, "FONTCONFIG_FILE": str(fonts)},
        )
        yield browser
        browser.close()


def _wait_until_up(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api/health"):
                return
        except URLError:
            time.sleep(0.2)
    process.terminate()
    raise RuntimeError(f"the demo did not start: {process.communicate()[0]}")
