"""The demo's server: whom it answers, and how."""

import http.client
import json
import re
import subprocess
import sys
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from picturegallery.files import ENCODER_DIGEST, Gallery, write_gallery
from quickstart.demo.requests import BadRequest, rank_question_of
from quickstart.gallery_cards import SIDE, GalleryCards
from server.catalog import Catalog
from tests.support.tritonserver import ROOT

CATALOG = Catalog(ROOT / "model_repository")


def request(
    demo: str, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(demo).netloc, timeout=30)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    result = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    connection.close()
    return result


def ask(demo: str, fields: Any, **headers: str) -> tuple[int, Any]:
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    status, _, answer = request(demo, "POST", "/api/answer", body, **{"Origin": demo, **headers})
    return status, json.loads(answer) if answer.startswith(b"{") else answer.decode()


def test_every_response_allows_nothing_from_elsewhere(demo: str) -> None:
    for path in ("/", "/static/demo.js", "/api/health", "/missing"):
        _, headers, _ = request(demo, "GET", path)
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1", "127.0.0.1:1", ""])
def test_other_hosts_are_rejected(demo: str, host: str) -> None:
    assert request(demo, "GET", "/", Host=host)[0] in (400, 403)


@pytest.mark.parametrize("origin", ["http://attacker.example", "null", "http://127.0.0.1"])
def test_requests_of_other_pages_are_rejected(demo: str, origin: str) -> None:
    assert ask(demo, {"nickname": "小美"}, Origin=origin) == (403, "expected this page's own address")


def test_answers_have_everything_that_the_page_shows(demo: str) -> None:
    status, found = ask(demo, {"nickname": "小美"})
    assert status == 200
    assert found["arm"] in [answer["model"] for answer in found["answers"]]
    for answer in found["answers"]:
        assert answer["gender"] == "female"
        assert answer["weights"] == {"avatar": 0, "nickname": 1}
        assert [name for name, _ in answer["steps"]] == ["preprocess", answer["backbone"], "transfer"]
        assert answer["total_ms"] > 0
    assert [token["text"] for token in found["seen"]["tokens"]] == ["小", "美"]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ([], 400, "request"),
        (b"{", 400, "request"),
        (b"[" * 100_000, 400, "request"),
        ({"nickname": 7}, 400, "request"),
        ({"avatar": "?"}, 400, "request"),
        ({"arm": "other"}, 400, "request"),
        ({"avatar": "bm8="}, 422, "avatar"),
        ({"avatar": b64encode(b"data:image/png;base64,iVBORw0KGgo=").decode()}, 422, "avatar"),
        ({"nickname": "a" * 4097}, 422, "nickname"),
        (b" " * (15 * 2**20), 413, "too_large"),
    ],
    ids=["list", "no JSON", "deep", "number", "no base64", "arm", "no picture", "text", "long", "too large"],
)
def test_bad_requests_are_rejected_with_a_code(demo: str, fields: Any, status: int, code: str) -> None:
    got, error = ask(demo, fields)
    assert (got, error["code"]) == (status, code)
    assert error["detail"]


@pytest.mark.parametrize(
    "fields",
    [
        {"liked": 7},
        {"liked": [1]},
        {"liked": ["1.5"]},
        {"liked": ["99999999999999999999"]},
        {"liked": [True]},
        {"liked": ["-1"]},
        {"personalize": "yes"},
        {"seed": 0.5},
        {"seed": False},
        {"seed": 2**63},
    ],
    ids=["no list", "number", "fraction of one", "huge", "true", "negative", "yes", "fraction", "false", "large seed"],
)
def test_bad_questions_for_cards_are_rejected(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="expected"):
        rank_question_of(fields)


def test_cards_are_drawn_from_their_seeds() -> None:
    gallery = CATALOG.model("gallery")
    cards = GalleryCards(gallery.folder / str(gallery.versions[-1]))
    picture = cards.jpeg(1)
    assert picture
    assert Image.open(BytesIO(picture)).size == (SIDE, SIDE)
    assert picture != cards.jpeg(2)
    assert cards.title(1)
    assert (cards.jpeg(0), cards.title(0)) == (None, "")


def test_foreign_pictures_have_titles_only(tmp_path: Path) -> None:
    (folder := tmp_path / "3").mkdir()
    vector, priors = np.ones((1, 4), np.float16), np.ones((1, 2), np.float32)
    write_gallery(Gallery(vector, np.array([7]), ["sea"], priors, {ENCODER_DIGEST: "0"}), folder)
    cards = GalleryCards(folder)
    assert (cards.version, cards.title(7), cards.jpeg(7), cards.are_drawn) == (3, "sea", None, False)


# Prints the distributions of all modules that the page and its server have loaded.
LOADED = """
import sys
from importlib.metadata import packages_distributions
import quickstart.demo.command, tritonclient.grpc.aio, uvicorn.protocols.http.h11_impl, uvicorn.lifespan.on
from training.synthetic.cards import compose_card, draw_card
draw_card(compose_card(1))
known = packages_distributions()
print(*sorted({each for name in list(sys.modules) for each in known.get(name.partition(".")[0], [])}))
"""


def test_page_needs_no_package_beyond_its_requirements() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "requirements/demo.txt").read_text(), re.MULTILINE)
    ours = {"gender-triton", "genderclient"}
    assert {name.lower().replace("_", "-") for name in loaded} - {*pinned, *ours} == set()
    assert "starlette" in loaded
