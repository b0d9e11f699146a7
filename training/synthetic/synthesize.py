"""Write manifests of synthetic users. Needs nothing but this repository.

    python -m training.synthetic.synthesize --count 4000 --out runs/data

Each row has its stratum and the exact P(female | avatar, nickname), so the best possible accuracy on any part of the
manifest is known. `--images` adds real images and `--names` replaces the built-in names.
"""

import argparse
from pathlib import Path

from .avatars import AvatarPool
from .folders import read_folders
from .nicknames import builtin_names, read_names
from .users import write_nicknames, write_users


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for manifest.csv, nicknames.csv and avatars/")
    parser.add_argument("--count", type=int, default=4000, help="users in manifest.csv")
    parser.add_argument("--nicknames", type=int, default=2000, help="users without avatar, in nicknames.csv")
    parser.add_argument("--images", type=Path, nargs="+", help="folders of real images, see pictures.py")
    parser.add_argument("--names", type=Path, help="folder of name lists, see training/synthetic/nicknames.py")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        names = read_names(args.names) if args.names else builtin_names()
        avatars = AvatarPool(read_folders(*args.images) if args.images else ())
    except (OSError, ValueError) as exc:
        raise SystemExit(f"synthesize: {exc}") from exc
    print(write_users(args.count, avatars, names, args.out, args.seed))
    print(write_nicknames(args.nicknames, names, args.out, args.seed))


if __name__ == "__main__":
    main()
