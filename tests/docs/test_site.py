"""The documentation site builds without warnings, and the snippets of the tutorials and main READMEs run."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from docs.collect import collect
from genderclient._cli.app import app
from tests.support.pictures import encode, noise
from tests.support.tritonserver import ROOT, Server

# jieba, which the search index uses if it is installed, announces its dictionary.
JIEBA = ("Building prefix dict", "Loading model", "Dumping model", "Prefix dict has been built")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    collect(folder / "source")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DOCS_SOURCE": str(folder / "source")}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    messages = [line for line in run.stderr.splitlines() if not line.startswith(JIEBA)]
    assert (run.returncode, run.stdout, messages) == (0, "", [])
    return folder / "site"


def test_reference_has_the_public_names(site: Path) -> None:
    reference = (site / "client/docs/reference.html").read_text(encoding="utf-8")
    for name in ("predict", "rank", "Client", "Prediction", "Ranking", "Experiment", "RedisHistory"):
        assert f'id="genderclient.{name}"' in reference
    assert 'id="genderprep.tensors.IMAGE_SIZE"' in (site / "docs/reference/tensors.html").read_text(encoding="utf-8")
    assert 'id="training.layers.fusion.AttentionFusion"' in (site / "docs/reference/training.html").read_text(
        encoding="utf-8"
    )


def test_links_to_folders_lead_to_their_readme(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    assert re.search(r'<a href="conversion/(?:index.html)?">', home)


def test_links_resolve(site: Path) -> None:
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html") if page.name != "404.html"}
    anchors = {page: {*re.findall(r'\bid="?([^"\s>]+)', text)} for page, text in pages.items()}
    broken = set()
    for page, text in pages.items():
        for link in re.findall(r'\b(?:href|src)="(?![a-z]+:)([^"]*)"', text):
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors.get(target, {anchor})):
                broken.add(f"{page.relative_to(site)}: {link}")
    assert broken == set()


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<(?:script|link rel="stylesheet"|img)[^>]*(?:src|href)="(https?:[^"]+)"', home) == []


@pytest.fixture
def reader(tmp_path: Path, triton: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who copies snippets: in an empty folder, with a server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENDERCLIENT_URL", f"grpc://{triton.grpc_url}")


@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/zh/tutorial.md"])
@pytest.mark.usefixtures("reader")
def test_tutorial_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for language, text in snippets(page):
        if language == "python":
            exec(text, {"__name__": "docs"})
        else:
            program, *arguments = text.split()
            assert (program, CliRunner().invoke(app, arguments).exit_code) == ("genderclient", 0)
    printed = capsys.readouterr().out
    assert "male 0." in printed
    assert re.search(r"^decided (?:1\.0|0\.\d+)$", printed, re.MULTILINE)
    assert re.search(r"^right (?:1\.0|0\.\d+)$", printed, re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
@pytest.mark.usefixtures("reader")
def test_snippets_of_readme_run(page: str, triton: Server, capsys: pytest.CaptureFixture[str]) -> None:
    Path("me.jpg").write_bytes(encode(noise(), "JPEG"))
    ((_, text),) = snippets(page)
    exec(text, {"__name__": "docs"})
    prediction, pictures = capsys.readouterr().out.splitlines()
    assert prediction.startswith("Prediction(male 0.")
    assert len(ast.literal_eval(pictures)) == 10
    (curl,) = re.findall(r"```\n(curl .*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    command = curl.replace("127.0.0.1:8000", triton.http_url)
    answer = json.loads(subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout)
    assert {output["name"] for output in answer["outputs"]} == {"PROBABILITIES", "WEIGHTS", "EMBEDDING"}


def snippets(page: str) -> Iterator[tuple[str, str]]:
    """Language and text of each snippet of a page that can run here, in order."""
    yield from re.findall(r"```(python|sh)\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
