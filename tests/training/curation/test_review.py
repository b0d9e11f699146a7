"""From a manifest to a page, and from decisions on the page to a corrected manifest."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page

from genderprep.tensors import LABELS
from tests.support.demo import CHROMIUM, running_chromium
from training.curation.review import _ENCODERS, _REPOSITORY, computed, items, main, recorded
from training.curation.review_manifest import DecisionsError, ReviewManifest
from training.curation.review_page import page as page_of
from training.data.bad_rows import ManifestError
from training.synthetic.degrade import degrade
from training.synthetic.drawing import draw_portrait

# Rows of the manifest of portraits whose label is wrong.
WRONG = [3, 14, 25, 36]
HEAD = '"manifest": "DIGEST", "column": "label"'
DECIDED = '"decisions": [{{"row": {row}, "label": "{label}"}}]'


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 portraits, four with a wrong label and four without one; one row has no picture, one a broken one."""
    folder = tmp_path_factory.mktemp("portraits")
    rows = []
    for seed in range(48):
        gender = LABELS[seed % 2]
        (folder / f"{seed}.jpg").write_bytes(degrade(draw_portrait(gender, seed), Random(seed)))
        given = LABELS[1 - seed % 2] if seed in WRONG else "" if seed >= 44 else gender
        rows.append({"nickname": "", "avatar": f"{seed}.jpg", "gender": given})
    (folder / "broken.jpg").write_bytes(b"not a picture")
    rows += [{"nickname": "小美", "avatar": avatar, "gender": "female"} for avatar in ("", "broken.jpg")]
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


@pytest.fixture
def colors(tmp_path: Path) -> ReviewManifest:
    """Six plain pictures: four red or blue with recorded losses, two without a label."""
    for row, color in enumerate(("red", "blue", "blue", "blue", "red", "blue")):
        Image.new("RGB", (64, 64), color).save(tmp_path / f"{row}.png")
    labels, losses = ["red", "red", "blue", "blue", "", ""], [0.1, 4.0, 0.2, 0.1, 0.3, 0.9]
    table = pd.DataFrame({"picture": [f"{row}.png" for row in range(6)], "label": labels, "loss": losses})
    table.to_csv(tmp_path / "colors.csv", index=False)
    return ReviewManifest.read(tmp_path / "colors.csv")


def test_wrong_labels_are_suspected_by_a_model_that_is_served(portraits: Path) -> None:
    manifest = ReviewManifest.read(portraits)
    model, output = _ENCODERS[manifest.picture]
    (encoder,) = _REPOSITORY.glob(f"{model}/*/model.onnx")
    shown = items(manifest, computed(manifest, encoder, output), share=0.25, count=3)
    suspected = [item for item in shown if item.given]
    assert len({item.row for item in suspected} & {*WRONG}) >= 3
    assert all(item.suggested != item.given for item in suspected if item.row in WRONG)
    assert {item.row for item in shown if not item.given} < {44, 45, 46, 47}


def test_recorded_losses_rank_suspects_and_what_to_label_next(colors: ReviewManifest) -> None:
    shown = items(colors, recorded(colors, "loss"), share=0.5, count=1)
    assert [(item.row, item.given, item.suggested) for item in shown] == [
        (1, "red", "blue"),
        (2, "blue", "red"),
        (5, "", ""),
    ]


def test_losses_must_be_numbers(colors: ReviewManifest) -> None:
    with pytest.raises(ManifestError, match="row 0: expected a number in the column that --score names"):
        recorded(colors, "picture")


def test_decisions_correct_and_drop_rows_and_pictures_stay_reachable(colors: ReviewManifest, tmp_path: Path) -> None:
    decided = [{"row": 1, "label": "blue"}, {"row": 5, "label": "blue"}, {"row": 4, "label": None}]
    file = tmp_path / "decisions.json"
    file.write_text(json.dumps({"manifest": colors.digest, "column": "label", "decisions": decided}))
    corrected = colors.corrected(file, tmp_path / "elsewhere")
    assert corrected["label"].tolist() == ["red", "blue", "blue", "blue", "blue"]
    assert corrected["loss"].tolist() == ["0.1", "4.0", "0.2", "0.1", "0.9"]
    assert [(tmp_path / "elsewhere" / name).resolve().name for name in corrected["picture"]] == [
        f"{row}.png" for row in (0, 1, 2, 3, 5)
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "damaged JSON"),
        ('{"manifest": "0", "column": "label", "decisions": []}', "made for another manifest or column"),
        (f"{{{HEAD}, {DECIDED.format(row=6, label='red')}}}", "1 decisions name no row or no label"),
        (f"{{{HEAD}, {DECIDED.format(row=0, label='x')}}}", "1 decisions name no row or no label"),
    ],
)
def test_decisions_that_cannot_be_used(colors: ReviewManifest, tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "decisions.json"
    file.write_text(content.replace("DIGEST", colors.digest))
    with pytest.raises(DecisionsError, match=message):
        colors.corrected(file, tmp_path)


def test_labels_cannot_leave_the_script_that_holds_them(colors: ReviewManifest, tmp_path: Path) -> None:
    colors.table["label"] = "</script><!--<script>"
    colors.table.to_csv(tmp_path / "odd.csv", index=False)
    odd = ReviewManifest.read(tmp_path / "odd.csv")
    html = page_of(odd, items(odd, recorded(odd, "loss"), 1.0, 0))
    assert html.count("</script>") == 2 and "<!--" not in html


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with running_chromium() as browser:
        yield browser.new_page(viewport={"width": 900, "height": 700})


def test_a_person_reviews_by_keyboard(
    colors: ReviewManifest, tmp_path: Path, browser_page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*options: str | Path) -> None:
        monkeypatch.setattr(sys, "argv", ["review", str(colors.file), *map(str, options)])
        main()

    sheet, fixed, decisions = (tmp_path / name for name in ("review.html", "fixed.csv", "decisions.json"))
    run("--score", "loss", "--share", "0.5", "--out", sheet)
    problems: list[str] = []
    browser_page.on("console", lambda message: problems.append(message.text))
    browser_page.on("pageerror", lambda error: problems.append(str(error)))
    browser_page.goto(sheet.as_uri())
    assert browser_page.get_by_role("status").inner_text() == "0 of 4 decided"
    assert browser_page.locator("img").evaluate_all("all => all.every((each) => each.naturalWidth === 128)")
    # Suspects in rows 1 and 2; then rows 5 and 4, without a label: there is nothing to keep.
    for key in ("Enter", "Space", "Space", "1", "x", "ArrowLeft", "u", "2"):
        browser_page.keyboard.press(key)
    assert browser_page.get_by_role("status").inner_text() == "4 of 4 decided, not saved"
    assert Axe().run(browser_page).response["violations"] == []
    with browser_page.expect_download() as download:
        browser_page.keyboard.press("s")
    download.value.save_as(decisions)
    assert browser_page.get_by_role("status").inner_text() == "4 of 4 decided"
    assert problems == []
    run("--decisions", decisions, "--out", fixed)
    assert pd.read_csv(fixed)["label"].tolist() == ["red", "blue", "blue", "blue", "red"]
