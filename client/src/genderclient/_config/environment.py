"""The environment variables that the shared `predict` reads, besides `GENDERCLIENT_URL`."""

import os
from typing import Final

from genderclient._transports.credentials import Tls

TOKEN_VARIABLE: Final = "GENDERCLIENT_TOKEN"


def tls_from_environment() -> Tls | None:
    """Returns the PEM files that the environment names, None if it names none."""
    files = {
        name: os.environ.get(f"GENDERCLIENT_{name.upper()}") or None
        for name in ("ca_file", "certificate_file", "key_file")
    }
    return Tls(**files) if any(files.values()) else None
