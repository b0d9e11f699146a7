"""The demo page in a real Chromium."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from server.catalog import Catalog
from tests.support.tritonserver import ROOT
from training.synthetic.sample_users import sample_users

ENSEMBLES = Catalog(ROOT / "model_repository", ROOT / "explain_repository").ensembles()

# Rejected however severe: the page is small enough to have none.
ALL_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def violations(page: Page) -> list[str]:
    return [violation["id"] for violation in Axe().run(page, options=ALL_RULES).response["violations"]]


def use_example(page: Page, nickname: str) -> None:
    page.get_by_role("button", name=re.compile(f"{nickname}$")).first.click()


def cards(page: Page) -> list[str]:
    expect(page.locator(".card")).to_have_count(2)
    return page.locator(".card").all_inner_texts()


def test_example_is_answered_by_both_models_with_reasons(page: Page) -> None:
    use_example(page, "浩然")
    for text, backbone in zip(cards(page), ("densenet", "mobilenet"), strict=True):
        assert backbone in text
        assert "male, 9" in text
        assert re.search(r"avatar\s+[1-9]\d\.\d%", text)
        assert re.search(r"looks male to the image tower: \w+", text)
        assert re.search(rf"decode and tokenize\s+\d+\.\d\s+model {backbone}\s+\d+\.\d", text)
    expect(page.locator("#tokens li")).to_have_count(2)
    expect(page.locator("#status")).to_have_text(re.compile(r"^gender_\w+ answers: male, 9\d\.\d%\.$"))
    assert violations(page) == []


def test_heat_colors_the_avatar(page: Page) -> None:
    use_example(page, "浩然")
    cards(page)
    colored = page.locator("canvas").first.evaluate(
        "canvas => canvas.getContext('2d').getImageData(0, 0, 256, 256).data.reduce("
        "(n, _, i, all) => n + (i % 4 === 0 && Math.abs(all[i] - all[i + 2]) > 8), 0)"
    )
    assert 1000 < colored < 256 * 256


def test_uploaded_picture_and_typed_nickname(page: Page) -> None:
    avatar = sample_users()[1].avatar
    assert avatar
    page.get_by_label("Choose a picture").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": avatar})
    page.get_by_role("textbox", name="Nickname").fill("國強🌹")
    page.get_by_role("textbox", name="Nickname").press("Enter")
    cards(page)
    assert page.locator("#text").inner_text().split("\n")[:4] == ["typed", "國強🌹", "normalized", "国强🌹"]
    expect(page.locator("#tokens li")).to_have_count(3)


def test_picture_of_the_camera_is_asked_about(page: Page) -> None:
    page.get_by_role("button", name="Take a picture").click()
    expect(page.locator("#video")).to_have_js_property("videoWidth", 640)
    assert violations(page) == []
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_alt_text("Your picture")).to_be_visible()
    page.get_by_role("button", name="Predict").click()
    assert all("avatar" in text and "100.0%" in text for text in cards(page))


def test_cancelled_camera_leaves_no_picture(page: Page) -> None:
    page.get_by_role("button", name="Take a picture").click()
    page.keyboard.press("Escape")
    expect(page.get_by_alt_text("Your picture")).to_be_hidden()


def test_arm_follows_the_user_id_and_the_switch(page: Page) -> None:
    arms = set()
    for number in range(8):
        page.get_by_label("User id").fill(f"user {number}")
        page.get_by_role("button", name="Predict").click()
        status = page.locator("#status")
        expect(status).to_have_text(re.compile("^gender_"))
        arms.add(status.inner_text().split()[0])
    assert arms == {"gender_densenet", "gender_mobilenet"}
    for arm in sorted(arms):
        page.get_by_label("A/B arm").select_option(arm)
        page.get_by_role("button", name="Predict").click()
        expect(page.locator(".card.chosen .backbone")).to_have_text(arm.removeprefix("gender_"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no picture", "This picture cannot be used. Pictures: JPEG, PNG"),
        (b"\xff" * (10 * 2**20 + 1), "The picture is too large. Pictures: JPEG, PNG"),
    ],
    ids=["no picture", "too large"],
)
def test_rejected_picture_is_explained_in_words(page: Page, tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    expect(page.locator("#limits")).not_to_be_empty()
    page.get_by_label("Choose a picture").set_input_files(tmp_path / "a.jpg")
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    assert violations(page) == []


def test_stopped_server_is_explained_in_words(page: Page) -> None:
    page.route("**/api/answer", lambda route: route.abort())
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_have_text("The demo is not running. Start it with `make demo`.")
    page.unroute("**/api/answer")


def test_missing_inputs_are_named(page: Page) -> None:
    use_example(page, "微信用户")
    for text in cards(page):
        assert "unknown" in text
        assert "No avatar to explain." in text
    assert page.locator("#text").inner_text().count("counts as missing") == 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_chinese_on_a_phone(page: Page, theme: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    use_example(page, "X国强")
    cards(page)
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("#status")).to_have_text(re.compile(r"的回答：男，\d\d\.\d%。$"))
    for _ in range(["auto", "light", "dark"].index(theme)):
        page.get_by_role("button", name=re.compile("配色")).click()
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not [word for word in ("undefined", "{", "NaN") if word in page.locator("body").inner_text()]
    assert violations(page) == []


def test_keyboard_reaches_everything(page: Page) -> None:
    expect(page.locator("#examples button")).to_have_count(len(sample_users()))
    page.locator("h1").click()
    reached = []
    for _ in range(11):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert reached[:9] == [
        "language", "theme", "file", "open-camera", "nickname", "user-id", "arm", "Predict", reached[8]
    ]  # fmt: skip
    page.locator("#examples button").first.focus()
    page.keyboard.press("Enter")
    cards(page)


def test_all_servers_are_ready(page: Page) -> None:
    expect(page.locator("#health li")).to_have_count(1 + len(ENSEMBLES))
    assert {text.split(": ")[1] for text in page.locator("#health li").all_inner_texts()} == {"ready"}


def test_both_languages_have_the_same_sentences() -> None:
    """Of the keys in the source, in order: one language after the other."""
    source = (Path(__file__).parents[3] / "quickstart/demo/static/texts.js").read_text(encoding="utf-8")
    english, chinese = source.split("  zh: {")
    pattern = re.compile(r"^ {4,6}(\w+): ", re.MULTILINE)
    assert pattern.findall(english) == pattern.findall(chinese.split("let language")[0])


def test_likes_change_the_ranking(page: Page) -> None:
    use_example(page, "X国强")
    expect(page.locator("#ranked li")).to_have_count(12)
    before = ranked(page)
    page.locator("#ranked button").nth(9).click()
    expect(page.locator("#ranking-status")).to_contain_text("Likes counted: 1.")
    assert ranked(page) != before
    page.get_by_label("personalize").uncheck()
    expect(page.locator("#ranking-status")).to_contain_text("as if nothing were known")
    page.get_by_label("explore").check()
    expect(page.locator("#ranked li").first).to_contain_text("chance of this place")
    assert violations(page) == []


def ranked(page: Page) -> list[str]:
    """Titles and scores, best first."""
    return [text.split("♡")[0].split("♥")[0] for text in page.locator("#ranked li").all_inner_texts()]
