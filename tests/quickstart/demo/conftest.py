"""One demo server, and one Chromium, for all tests of the page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.demo import CHROMIUM, running_chromium, running_demo

# Long enough on a busy machine.
TIMEOUT_MS = 60_000
expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="session")
def demo() -> Iterator[str]:
    """The address of the page."""
    with running_demo() as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: until then, an event loop of Playwright runs in this thread."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser, demo: str) -> Iterator[Page]:
    """The page in English; at the end, nothing was printed to the console, stored, or loaded from elsewhere."""
    context = browser.new_context(locale="en-US", viewport={"width": 1100, "height": 900})
    problems: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if not is_own(request.url, demo) else None)
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(demo)
    yield page
    stored = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    context.close()
    # Chromium itself prints every request that fails.
    assert [each for each in problems if not each.startswith("Failed to load resource:")] == []
    assert stored == [0, 0, ""]


def is_own(url: str, demo: str) -> bool:
    return url.startswith((f"{demo}/", "data:image/", f"blob:{demo}/"))
