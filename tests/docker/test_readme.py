"""docker/README.md agrees with the repository."""

import re

from tests.support.docker.rendered import DOCKER
from tests.support.tritonserver import ROOT

README = (DOCKER / "README.md").read_text(encoding="utf-8")


def test_documented_release_layout_exists_in_the_model_repository() -> None:
    paths = re.findall(r"^ {8}(\w+/\S+)", README, re.MULTILINE)
    assert any("<version>" in path for path in paths)
    for path in paths:
        assert list((ROOT / "model_repository").glob(path.replace("<version>", "[0-9]*"))), path


def test_documented_files_exist() -> None:
    for name in re.findall(r"^\| `([^`]+)`(?:, `([^`]+)`)? \|", README, re.MULTILINE):
        assert all((DOCKER / each).exists() for each in name if each), name
