"""The shared `predict` and `rank`: what they pass on, and the environment variables of their client."""

from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from genderclient import Client, Tls, _default, predict, rank

GIVEN: dict[str, Any] = {
    "avatar": b"picture",
    "nickname": "小美",
    "features": "features",
    "liked": [1],
    "among": [2],
    "k": 3,
    "seed": 4,
    "personalize": False,
    "model": "rank_embedding",
    "timeout_s": 5.0,
    "embedding": True,
}


class Recorder:
    def predict(self, **arguments: Any) -> Any:
        return "predict", arguments

    def rank(self, **arguments: Any) -> Any:
        return "rank", arguments


@pytest.mark.parametrize("call", [predict, rank])
def test_every_argument_is_passed_on(monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    monkeypatch.setattr(_default, "_shared_client", Recorder)
    arguments = {name: GIVEN[name] for name in signature(call).parameters}
    assert call(**arguments) == (call.__name__, arguments)


def test_shared_client_has_the_url_the_token_and_the_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options: dict[str, Any] = {}

    def record(**given: Any) -> Client:
        options.update(given)
        return Client()

    files = {name: tmp_path / name for name in ("ca_file", "certificate_file", "key_file")}
    for name, file in files.items():
        file.touch()
        monkeypatch.setenv(f"GENDERCLIENT_{name.upper()}", str(file))
    monkeypatch.setenv("GENDERCLIENT_TOKEN", "secret")
    monkeypatch.setattr(_default, "Client", record)
    _default._shared_client.__wrapped__()
    assert options == {"token": "secret", "tls": Tls(**{name: str(file) for name, file in files.items()})}
