"""One demo server, and one Chromium, for all tests of the page."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import notojp_matplotlib
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.tritonserver import ROOT, free_ports

CHROMIUM = shutil.which("chromium")
START_S = 150
# Chinese characters also where the system has no font for them.
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include><dir>{folder}</dir></fontconfig>"""


@pytest.fixture(scope="session")
def demo() -> Iterator[str]:
    """The address of a demo page, started as `make demo` starts it."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "quickstart.demo", f"--port={port}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_until_up(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            printed = process.communicate(timeout=30)[0]
    assert "小美" not in printed
    assert "Traceback" not in printed, printed


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    fonts = tmp_path_factory.mktemp("fonts") / "fonts.conf"
    fonts.write_text(FONTS.format(folder=Path(notojp_matplotlib.__file__).parent))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--no-sandbox"],
            env={**os.environ, "FONTCONFIG_FILE": str(fonts)},
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, demo: str) -> Iterator[Page]:
    """The page in English; at the end, nothing was printed to the console, stored, or loaded from elsewhere."""
    context = browser.new_context(locale="en-US", viewport={"width": 1100, "height": 900})
    problems: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if not is_own(request.url, demo) else None)
    page.set_default_timeout(15_000)
    page.goto(demo)
    yield page
    stored = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    context.close()
    # Chromium itself prints the status of every rejected request.
    assert [each for each in problems if "the server responded with a status of" not in each] == []
    assert stored == [0, 0, ""]


def is_own(url: str, demo: str) -> bool:
    return url.startswith((f"{demo}/", "data:image/", f"blob:{demo}/"))


def wait_until_up(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api/health"):
                return
        except URLError:
            time.sleep(0.2)
    raise RuntimeError(f"the demo did not start: {process.poll()}")
