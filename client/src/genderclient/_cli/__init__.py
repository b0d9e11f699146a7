"""The command `genderclient`; what it needs beyond the SDK comes with `pip install 'genderclient[cli]'`."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from genderclient._cli.app import app
    except ImportError as exc:
        sys.exit(f"genderclient: {exc}; install what the command needs: pip install 'genderclient[cli]'")
    app()
