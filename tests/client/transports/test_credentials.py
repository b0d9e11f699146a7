"""TLS and tokens: Triton's own TLS on gRPC, a terminator before it on HTTP."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from genderclient import AsyncClient, Client, Tls, Unavailable
from tests.support.client.tls import PemFiles, tls_terminator, write_pem_files
from tests.support.tritonserver import running_gender_models


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> PemFiles:
    return write_pem_files(tmp_path_factory.mktemp("pem"))


@pytest.fixture(scope="module")
def received() -> list[bytes]:
    return []


@pytest.fixture(scope="module")
def urls(files: PemFiles, received: list[bytes]) -> Iterator[dict[str, str]]:
    flags = (
        "--grpc-use-ssl=true",
        "--grpc-use-ssl-mutual=true",
        f"--grpc-server-cert={files.server}",
        f"--grpc-server-key={files.server_key}",
        f"--grpc-root-cert={files.ca}",
    )
    with running_gender_models(*flags) as server, tls_terminator(server, files, received) as port:
        yield {"grpcs": f"grpcs://{server.grpc_url}", "https": f"https://127.0.0.1:{port}"}


@pytest.fixture(params=["grpcs", "https"])
def url(request: pytest.FixtureRequest, urls: dict[str, str]) -> str:
    return urls[request.param]


@pytest.fixture
def tls(files: PemFiles) -> Tls:
    return Tls(ca_file=files.ca, certificate_file=files.client, key_file=files.client_key)


def test_mutual_tls(url: str, tls: Tls) -> None:
    with Client(url, tls=tls) as client:
        assert [client.predict(nickname="小美").gender for _ in range(3)] == ["female"] * 3


def test_mutual_tls_async(url: str, tls: Tls) -> None:
    async def predict() -> None:
        async with AsyncClient(url, tls=tls) as client:
            assert (await client.predict(nickname="小美")).gender == "female"

    asyncio.run(predict())


def test_unknown_authority_is_not_trusted(url: str, files: PemFiles) -> None:
    tls = Tls(certificate_file=files.client, key_file=files.client_key)
    with (
        Client(url, tls=tls, timeout_s=3) as client,
        pytest.raises(Unavailable, match=r"certificate is not trusted: pass its authority as Tls") as caught,
    ):
        client.predict(nickname="小美")
    assert caught.value.attempts == 1


def test_missing_client_certificate_is_rejected(url: str, files: PemFiles) -> None:
    with Client(url, tls=Tls(ca_file=files.ca), timeout_s=3) as client, pytest.raises(Unavailable):
        client.predict(nickname="小美")


def test_token_is_sent(urls: dict[str, str], tls: Tls, received: list[bytes]) -> None:
    with Client(urls["https"], tls=tls, token="s3cret") as client:
        client.predict(nickname="小美")
        assert "s3cret" not in repr(client)
    assert b"authorization: Bearer s3cret\r\n" in b"".join(received)


def test_unencrypted_token_is_rejected() -> None:
    Client("http://127.0.0.1:8000", token="s3cret")
    with pytest.raises(ValueError, match="token: http://triton:8000 would send it unencrypted") as caught:
        Client("http://triton", token="s3cret")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", ["", " x", "a\r\nb", "密"])
def test_invalid_token_is_rejected(token: str) -> None:
    with pytest.raises(ValueError, match="token: expected visible ASCII"):
        Client("https://triton", token=token)


def test_tls_of_unencrypted_server_is_rejected(tls: Tls) -> None:
    with pytest.raises(ValueError, match="tls: http://triton:8000 is not encrypted; use grpcs:// or https://"):
        Client(["https://triton", "http://triton"], tls=tls)


def test_missing_files_are_rejected(files: PemFiles, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ca_file: no file .*no\.pem"):
        Tls(ca_file=tmp_path / "no.pem")
    with pytest.raises(ValueError, match="got only one of them"):
        Tls(certificate_file=files.client)
