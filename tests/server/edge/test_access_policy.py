"""Access policies and token files that are rejected before nginx starts."""

import re
from pathlib import Path

import pytest

from server.edge.access_policy import AccessPolicy
from server.edge.reverse_proxy import running_reverse_proxy
from server.errors import LaunchError
from tests.support.server.edge import SHOP, EdgeFiles


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", "lists no client"),
        ('# a\n"Bearer shop" shop;\n', r'line 2: expected  "Bearer <32 to 128 hexadecimal digits>" name;'),
        (f'"Bearer {SHOP}" shop', "line 1: expected"),
        (f'"Bearer {SHOP}" anybody;', r"line 1: expected .* \(not anybody\)"),
        (f'"Bearer {SHOP}" shop;\n\n"Bearer {SHOP}" other;\n', "line 3: same token as line 1"),
        ("\xff", "UnicodeDecodeError"),
    ],
    ids=["empty", "short token", "no semicolon", "no name", "repeated token", "not UTF-8"],
)
def test_malformed_token_file_is_rejected_without_quoting_it(tmp_path: Path, lines: str, expected: str) -> None:
    file = tmp_path / "clients"
    file.write_text(lines, encoding="latin-1")
    with pytest.raises(LaunchError, match=f"{re.escape(str(file))}.*{expected}") as caught:
        AccessPolicy(clients=file)
    assert SHOP not in str(caught.value)


def test_incomplete_tls_and_limits_below_one_are_rejected(files: EdgeFiles, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"pass --certificate=.* and --key="):
        AccessPolicy(certificate=files.certificate)
    with pytest.raises(LaunchError, match=r"--key: expected a PEM file, .*/no does not exist"):
        AccessPolicy(certificate=files.certificate, key=tmp_path / "no")
    with pytest.raises(LaunchError, match="--in-flight=0: expected 1 or more"):
        AccessPolicy(in_flight=0)


@pytest.mark.parametrize("missing", ["tokens", "TLS"])
def test_exposed_address_requires_tokens_and_tls(files: EdgeFiles, missing: str) -> None:
    tls_only, tokens_only = (
        AccessPolicy(certificate=files.certificate, key=files.key),
        AccessPolicy(clients=files.clients),
    )
    policy = tls_only if missing == "tokens" else tokens_only
    with (
        pytest.raises(LaunchError, match=r"^other machines can reach 0\.0\.0\.0, which requires tokens and TLS: pass"),
        running_reverse_proxy("127.0.0.1:1", "127.0.0.1:2", policy, ("0.0.0.0:3", "127.0.0.1:4")),
    ):
        pass
