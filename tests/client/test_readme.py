"""Every snippet of the client's README, in its order, on a real server."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.pictures import encode, noise
from tests.support.tritonserver import ROOT, Server

README = (ROOT / "client" / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_snippets(
    triton: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "me.jpg").write_bytes(encode(noise(), "JPEG"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENDERCLIENT_URL", f"grpc://{triton.grpc_url}")
    scope: dict[str, Any] = {}
    for snippet in SNIPPETS:
        exec(snippet.replace("127.0.0.1:8000", triton.http_url), scope)
    said = capsys.readouterr().out
    assert len(SNIPPETS) == 4
    assert re.search(r"^(male|female|unknown) 0\.\d+ [01]\.\d+$", said, re.MULTILINE)
    assert "'model': 'gender_densenet'" in said
    assert re.search(r"^0 Prediction\(female.*\n1 Prediction\(", said, re.MULTILINE)
    assert "Exposure(experiment='backbone-2026', arm='gender_" in said
