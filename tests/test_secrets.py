"""Tracked files contain no secret, and every installed package is pinned by hash."""

import re
import subprocess
from pathlib import Path

import pytest
import trustme

from server.edge.client_tokens import check_token_file

ROOT = Path(__file__).resolve().parent.parent
# Patterns of secrets: private keys, tokens of well-known services and of our clients, and values named like a secret.
SECRETS = re.compile(
    "|".join(
        (
            r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{32}",
            r"\bAKIA[0-9A-Z]{16}\b",
            r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
            r"\bgithub_pat_[A-Za-z0-9_]{60}",
            r"\bglpat-[A-Za-z0-9_-]{20}\b",
            r"\bhf_[A-Za-z0-9]{34}\b",
            r"\bsk-[A-Za-z0-9_-]{40}",
            r"\bxox[abprs]-[A-Za-z0-9-]{20}",
            r"\bAIza[A-Za-z0-9_-]{35}\b",
            r"\bpypi-AgE[A-Za-z0-9_-]{40}",
            r"\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.",
            r"\bBearer [0-9a-f]{32}",
            r"""\b(?i:password|passwd|secret|token|api_?key)["']?\s*[:=]\s*["'][A-Za-z0-9+/_=-]{20,}["']""",
        )
    )
)
# In files that are no text, such as models, where the patterns above would take long.
PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")
HASHED = re.compile(
    r"[a-z0-9-]+(?:\[[a-z0-9,-]+\])?==[A-Za-z0-9.+!]+ \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
)


def tracked() -> list[Path]:
    # safe.directory: the clone may belong to another user, and git runs nothing of it here.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name.decode() for name in listed.split(b"\0") if name]


def lines_with_secrets(content: bytes) -> list[int]:
    """The lines, counted from 1; of a binary file, as git defines it, those of private keys only."""
    if b"\0" in content[:8000]:
        return [content.count(b"\n", 0, match.start()) + 1 for match in PRIVATE_KEY.finditer(content)]
    text = content.decode(errors="replace")
    return [text.count("\n", 0, match.start()) + 1 for match in SECRETS.finditer(text)]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git clone, so tracked files are unknown")
def test_tracked_files_have_no_secret() -> None:
    """Report line numbers only, so that no test log shows the secret."""
    files = [file for file in tracked() if file.is_file()]
    assert len(files) > 100
    found = {str(file): lines_with_secrets(file.read_bytes()) for file in files}
    assert {file: lines for file, lines in found.items() if lines} == {}


def test_planted_secret_is_found(tmp_path: Path) -> None:
    key = trustme.CA().issue_cert("localhost").private_key_pem.bytes().decode()
    line = f'"Bearer {"5e" * 32}" shop;'
    (tmp_path / "clients").write_text(line)
    check_token_file(tmp_path / "clients")
    for secret in (key, line, "AKIA" + "Z" * 16, "ghp_" + "a" * 36, f"password = '{'x1' * 12}'"):
        assert lines_with_secrets(f"first\n{secret}\nlast".encode()) == [2], secret[:8]
    assert lines_with_secrets(b"\0\n" + key.encode()) == [2]


@pytest.mark.parametrize("file", sorted((ROOT / "requirements").rglob("*.txt")), ids=lambda file: file.name)
def test_requirements_are_pinned_by_hash(file: Path) -> None:
    assert HASHED.sub("", file.read_text()) == ""
