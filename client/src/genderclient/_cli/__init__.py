"""The command `genderclient`. It needs the packages of `pip install 'genderclient[cli]'`."""

import sys


def main() -> None:
    try:
        from genderclient._cli.app import app
    except ImportError as exc:
        sys.exit(f"genderclient: {exc}; install the packages of the command: pip install 'genderclient[cli]'")
    app()
