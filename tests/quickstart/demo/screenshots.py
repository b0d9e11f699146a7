"""Write the pictures of the demo page in `results/`: an example in both languages, light and dark.

python -m tests.quickstart.demo.screenshots     # needs Chromium
"""

from io import BytesIO
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Browser, expect

from tests.support.demo import running_chromium, running_demo
from tests.support.tritonserver import ROOT

RESULTS: Final = ROOT / "results"
COLORS: Final = 256


def main() -> None:
    with running_demo() as url, running_chromium() as browser:
        _shoot(browser, url, RESULTS / "demo.png", "en-US", "light", (900, 700))
        _shoot(browser, url, RESULTS / "demo_zh.png", "zh-CN", "dark", (420, 800))


def _shoot(
    browser: Browser, url: str, file: Path, locale: str, colors: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    """Write a picture of an example, which is a drawn avatar."""
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(locale=locale, color_scheme=colors, viewport=viewport, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(url)
    page.locator("#examples button").first.click(timeout=60_000)
    expect(page.locator(".card")).to_have_count(2, timeout=60_000)
    page.wait_for_load_state("networkidle")
    picture = Image.open(BytesIO(page.screenshot(full_page=True)))
    # A palette makes a file a third as large.
    picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(file.relative_to(ROOT))
    context.close()


if __name__ == "__main__":
    main()
