"""The token file of the reverse proxy: one client per line, in nginx's syntax.

    "Bearer <token>" shop;
    "Bearer <token>" bulk-scoring;

`anybody` is no name: it stands for clients without a token. A token is hexadecimal, as `openssl rand -hex 32` prints
it. nginx compares it without regard to case.
"""

import re
from pathlib import Path

from server.errors import LaunchError

_LINE = re.compile(r'"Bearer (?P<token>[0-9a-f]{32,128})" (?!anybody;)[a-z0-9-]+;')


def check_token_file(file: Path) -> None:
    """Reject a token file that nginx would misread, or whose tokens nginx would quote in an error message.

    Raises:
        LaunchError: The file is unreadable, empty or malformed. The message gives the line number, never a token.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise LaunchError(f"cannot read the token file {file} ({type(exc).__name__}); expected UTF-8 text") from None
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise LaunchError(
                f'{file}, line {number}: expected  "Bearer <32 to 128 hexadecimal digits>" name;  (not anybody)'
            )
        if (first := seen.setdefault(match["token"], number)) != number:
            raise LaunchError(f"{file}, line {number}: same token as line {first}; give each client its own")
    if not seen:
        raise LaunchError(f"{file} lists no client, so every request would be rejected; add a line for each client")
