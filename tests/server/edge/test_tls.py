"""The TLS versions and ciphers of the reverse proxy."""

import socket
import ssl

import pytest

from tests.support.server.edge import Edge


def handshake(edge: Edge, version: ssl.TLSVersion, cipher: str = "") -> str:
    """Return the cipher of a connection."""
    context = edge.tls()
    context.minimum_version = context.maximum_version = version
    if cipher:
        context.set_ciphers(cipher)
    host, port = edge.proxy.http_url.split(":")
    with (
        socket.create_connection((host, int(port)), 20) as raw,
        context.wrap_socket(raw, server_hostname=host) as connection,
    ):
        used = connection.cipher()
    assert used is not None
    return used[0]


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_ciphers_with_forward_secrecy_and_aead_are_accepted(edge: Edge, cipher: str) -> None:
    assert handshake(edge, ssl.TLSVersion.TLSv1_2, cipher) == cipher
    assert handshake(edge, ssl.TLSVersion.TLSv1_3).startswith("TLS_")


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-CCM"])
def test_other_ciphers_are_rejected(edge: Edge, cipher: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        handshake(edge, ssl.TLSVersion.TLSv1_2, cipher)
