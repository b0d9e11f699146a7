"""Compose users with avatar and nickname into manifests; nothing but this repository is needed.

    python -m training.synthetic.synthesize --count 4000 --out runs/data

Every row carries its stratum and the exact P(female | what is shown), so the best possible accuracy on any
part of it is known. `--images` adds real pictures and `--names` replaces the short lists of names, both by path.
"""

import argparse
from pathlib import Path

from .avatars import Gallery
from .folders import read_folders
from .nicknames import own_names, read_names
from .users import write_nicknames, write_users


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for manifest.csv, nicknames.csv and avatars/")
    parser.add_argument("--count", type=int, default=4000, help="users in manifest.csv")
    parser.add_argument("--nicknames", type=int, default=2000, help="users without avatar, in nicknames.csv")
    parser.add_argument("--images", type=Path, help="folder with real pictures, see training/synthetic/folders.py")
    parser.add_argument("--names", type=Path, help="folder with lists of names, see training/synthetic/nicknames.py")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    names = read_names(args.names) if args.names else own_names()
    gallery = Gallery(read_folders(args.images) if args.images else ())
    print(write_users(args.count, gallery, names, args.out, args.seed))
    print(write_nicknames(args.nicknames, names, args.out, args.seed))


if __name__ == "__main__":
    main()
