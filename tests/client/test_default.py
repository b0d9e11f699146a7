"""The environment variables of the shared `predict`."""

from pathlib import Path

import pytest

from genderclient import Client
from genderclient._default import _shared_client


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Client:
    ca_file = tmp_path / "ca.pem"
    ca_file.touch()
    monkeypatch.setenv("GENDERCLIENT_URL", "https://gender.example.com:443")
    monkeypatch.setenv("GENDERCLIENT_TOKEN", "secret")
    monkeypatch.setenv("GENDERCLIENT_CA_FILE", str(ca_file))
    return _shared_client.__wrapped__()


def test_shared_client_has_the_token_and_the_authority(shared: Client, tmp_path: Path) -> None:
    assert shared._credentials.headers == {"authorization": "Bearer secret"}
    assert shared._credentials.tls.ca_file == str(tmp_path / "ca.pem")
