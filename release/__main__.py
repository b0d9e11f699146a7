"""Prepare, check and build a release.

python -m release version 1.2.3     # write the version into all places and badges, and date the changelog
python -m release badges            # write docs/badges
python -m release check             # what `make release` requires
python -m release build             # make release
"""

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import Final

from .badges import write_badges
from .build import DIST, build, check
from .changelog import date_section
from .errors import ReleaseError
from .versions import write_version

ROOT: Final = Path(__file__).resolve().parent.parent
NEXT: Final = """\
{files}

Nothing has left this machine. What only a person can do:

1. Read {dist}/release_notes-{version}.md, and open the documentation in out/docs/index.html.
2. Sign: gpg --armor --detach-sign {dist}/SHA256SUMS
3. Tag: git tag --sign v{version} --message 'Version {version}', then push the tag.
4. Attach all files of {dist} to the release of the tag.
5. Upload the SDK: twine upload {dist}/genderclient-{version}*. First, add the address of the repository as
   [project.urls] to client/pyproject.toml: links from its README to other files lead nowhere on a package index.
6. Build the images on a machine with Docker, by the commands in docker/README.md, scan, sign and push them.
7. Copy model_repository to the object store as gender-models/{version}, if you serve from one (docker/README.md).
8. Begin a section '## Unreleased' in CHANGELOG.md.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="refuse a tree that cannot be released")
    commands.add_parser("build", help=f"check, then write all files into {DIST}")
    commands.add_parser("badges", help="write the badges of the READMEs")
    setting = commands.add_parser(
        "version", help="write the version into all places and badges, and date the changelog"
    )
    setting.add_argument("version")
    args = parser.parse_args()
    try:
        if args.command == "version":
            write_version(ROOT, args.version)
            date_section(ROOT, args.version, date.today())
            write_badges(ROOT)
        elif args.command == "badges":
            write_badges(ROOT)
        elif args.command == "check":
            check(ROOT)
        else:
            files = "\n".join(f"{file.stat().st_size / 1e6:8.1f} MB  {file.relative_to(ROOT)}" for file in build(ROOT))
            print(NEXT.format(files=files, dist=DIST, version=check(ROOT)), end="")
    except ReleaseError as exc:
        sys.exit(f"release: {exc}")


if __name__ == "__main__":
    main()
