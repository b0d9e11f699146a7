"""The figures in both READMEs are those of the result files."""

import pytest

from docs import headline


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_readmes_have_the_present_figures(name: str) -> None:
    path = headline.ROOT / name
    assert path.read_text(encoding="utf-8") == headline.documents()[path]
