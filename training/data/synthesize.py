"""Draw avatars and compose nicknames into manifests; nothing but this repository is needed.

    python -m training.data.synthesize --count 400 --out runs/data

`--images` adds real pictures and `--names` replaces the short lists of names, both by path.
"""

import argparse
from pathlib import Path
from random import Random

from genderprep.contract import LABELS

from .degrade import degrade
from .drawing import draw_portrait, draw_scene
from .folders import read_folders
from .nicknames import own_names, read_names
from .users import Avatar, write_nicknames, write_users


def drawn_avatars(count: int, seed: int) -> list[Avatar]:
    """Drawn avatars, the genders in turn and every fourth a neutral scene."""
    return [_drawn(seed * 1_000_000 + index) for index in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for manifest.csv, nicknames.csv and avatars/")
    parser.add_argument("--count", type=int, default=400, help="drawn avatars")
    parser.add_argument("--nicknames", type=int, default=2000, help="users without avatar, in nicknames.csv")
    parser.add_argument("--images", type=Path, help="folder with real pictures, see training/data/folders.py")
    parser.add_argument("--names", type=Path, help="folder with lists of names, see training/data/nicknames.py")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    names = read_names(args.names) if args.names else own_names()
    real = read_folders(args.images) if args.images else []
    print(write_users([*drawn_avatars(args.count, args.seed), *real], names, args.out, args.seed))
    print(write_nicknames(args.nicknames, names, args.out, args.seed))


def _drawn(seed: int) -> Avatar:
    gender = (*LABELS, LABELS[seed // 4 % 2], "")[seed % 4]

    def encode(dice: Random) -> bytes:
        return degrade(draw_portrait(gender, seed) if gender else draw_scene(seed), dice)

    return Avatar(f"drawn/{seed}", gender, encode, "drawn")


if __name__ == "__main__":
    main()
