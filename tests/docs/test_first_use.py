"""The stop-watch runs the snippets of a tutorial in their order, and stops at the first that fails."""

import re
import subprocess
from pathlib import Path

import pytest

from docs.first_use import MILESTONES, ROOT, follow, steps


@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/zh/tutorial.md"])
def test_tutorial_reaches_every_milestone(page: str) -> None:
    script = "".join(steps((ROOT / page).read_text(encoding="utf-8")))
    assert re.findall(r"^milestone (\w+)$", script, re.MULTILINE) == [*MILESTONES.values()]
    subprocess.run(["bash", "-n", "-c", script], check=True)


def test_milestones_are_timed_in_order(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```\nsleep 0.2  # make run\n```\n\nThen:\n\n```sh\nsleep 0.2  # genderclient score\n```\n")
    times = follow(page)
    assert [*times] == ["first_prediction", "score_file"]
    assert 0.2 <= times["first_prediction"] < times["score_file"]


def test_failing_snippet_stops(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```\nfalse\ntouch reached\n```\n")
    with pytest.raises(subprocess.CalledProcessError):
        follow(page)
