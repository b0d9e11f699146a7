"""Record the files of a model repository in its SHA256SUMS, after you edited them.

    python -m server.checksums                  # model_repository
    python -m server.checksums my_repository

Prints the files that are new, changed or gone. Running servers of yours read them when they load the model again.
"""

import argparse
from pathlib import Path

from server.errors import LaunchError
from server.launch.process import ROOT

from .manifest import record_all
from .snapshot import refresh_snapshots


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m server.checksums", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repository", type=Path, nargs="?", default=ROOT / "model_repository")
    repository = parser.parse_args().repository
    if not repository.is_dir():
        raise SystemExit(f"checksums: {repository} is not a folder; expected a model repository")
    try:
        for name in record_all(repository):
            print(f"recorded {name}")
        refresh_snapshots(repository)
    except LaunchError as exc:
        raise SystemExit(f"checksums: {exc}") from exc


if __name__ == "__main__":
    main()
