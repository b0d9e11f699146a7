"""Server URLs."""

import pytest

from genderclient._transports.url import DEFAULT_URL, ServerUrl, server_urls


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("grpc://127.0.0.1:9001", ServerUrl("grpc", "127.0.0.1", 9001)),
        ("grpc://triton", ServerUrl("grpc", "triton", 8001)),
        ("http://triton/", ServerUrl("http", "triton", 8000)),
        ("http://[::1]:9000", ServerUrl("http", "::1", 9000)),
        ("grpcs://triton", ServerUrl("grpcs", "triton", 8001)),
        ("https://triton:443", ServerUrl("https", "triton", 443)),
    ],
)
def test_parse(text: str, expected: ServerUrl) -> None:
    assert ServerUrl.parse(text) == expected


@pytest.mark.parametrize("text", ["grpc://127.0.0.1:8001", "http://[::1]:8000"])
def test_str_equals_input(text: str) -> None:
    assert str(ServerUrl.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("127.0.0.1:8001", "expected grpc://, grpcs://, http:// or https://"),
        ("", "expected grpc://, grpcs://, http:// or https://"),
        ("ftp://triton", "expected grpc://, grpcs://, http:// or https://"),
        ("grpc://", "expected scheme://host:port and nothing else"),
        ("http://triton/v2", "expected scheme://host:port and nothing else"),
        ("http://me:secret@triton", "expected scheme://host:port and nothing else"),
        ("grpc://triton:port", "a port up to 65535"),
        ("grpc://triton:99999", "a port up to 65535"),
    ],
)
def test_invalid_url_is_rejected(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^server URL: .*{reason}; write it like {DEFAULT_URL}$"):
        ServerUrl.parse(text)


def test_default_comes_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENDERCLIENT_URL", raising=False)
    assert server_urls(None) == (ServerUrl.parse(DEFAULT_URL),)
    monkeypatch.setenv("GENDERCLIENT_URL", "http://one, grpc://two:9")
    assert [str(url) for url in server_urls(None)] == ["http://one:8000", "grpc://two:9"]
    assert [str(url) for url in server_urls(["http://three"])] == ["http://three:8000"]


def test_empty_list_is_rejected() -> None:
    with pytest.raises(ValueError, match="got none; write one like grpc://"):
        server_urls([])
