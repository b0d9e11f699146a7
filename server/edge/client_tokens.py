"""The file of those who may come in: one line for each, in the words of nginx.

    "Bearer <token>" shop;
    "Bearer <token>" bulk-scoring;

A token is hexadecimal, as `openssl rand -hex 32` makes it: nginx does not tell upper from lower case.
"""

import re
from pathlib import Path

from server.errors import LaunchError

_LINE = re.compile(r'"Bearer (?P<token>[0-9a-f]{32,128})" [a-z0-9-]+;')


def check_clients(file: Path) -> None:
    """Refuse what nginx would misread, or would quote a token of when it complains.

    Raises:
        LaunchError: the file cannot be read, holds no client, or names the first line that is wrong; never a token.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise LaunchError(f"{file} cannot be read ({type(exc).__name__}); write the clients into it") from None
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise LaunchError(f'{file}, line {number}: expected  "Bearer <32 to 128 hexadecimal digits>" name;')
        if (first := seen.setdefault(found["token"], number)) != number:
            raise LaunchError(f"{file}, line {number}: the token of line {first} again; give each client its own")
    if not seen:
        raise LaunchError(f"{file} names no client; nobody could come in")
