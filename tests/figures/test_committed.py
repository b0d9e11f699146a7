"""The plots in `results/` fit a page of GitHub, in light and in dark."""

import subprocess
from pathlib import Path

import pytest
from PIL import Image

from figures.save import dark
from figures.style import DARK, DPI, LIGHT, WIDTH

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(["git", "ls-files", "*.png"], cwd=ROOT / "results", capture_output=True, text=True).stdout
# Screenshots show the page as it is.
PLOTS = sorted(name for name in TRACKED.split() if not name.startswith("demo") and not name.endswith(".dark.png"))
MAX_BYTES = 300_000


@pytest.mark.skipif(not PLOTS, reason="the tracked files are unknown outside a git checkout")
@pytest.mark.parametrize("name", PLOTS)
def test_plot_has_two_small_variants(name: str) -> None:
    file = ROOT / "results" / name
    with Image.open(file) as light, Image.open(dark(file)) as other:
        assert light.size == other.size
        assert light.width <= WIDTH * DPI
        corners = [image.convert("RGB").getpixel((0, 0)) for image in (light, other)]
    assert [bytes(corner).hex() for corner in corners] == [theme.paper[1:] for theme in (LIGHT, DARK)]  # type: ignore[arg-type]
    assert max(file.stat().st_size, dark(file).stat().st_size) <= MAX_BYTES
