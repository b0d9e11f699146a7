"""Users of the article's kinds: both avatar and nickname tell the gender, only one does, neither does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tqdm import tqdm

from genderprep.contract import LABELS

from .manifest import SPLITS, split_of, write_manifest
from .nicknames import Names, compose_gendered, compose_neutral


@dataclass(frozen=True)
class Avatar:
    """One source picture: who or what it shows, its gender (empty if neutral), and how to encode a copy."""

    identity: str
    gender: str
    encode: Callable[[Random], bytes]
    source: str
    copies: int = 1


def write_users(avatars: Sequence[Avatar], names: Names, out: Path, seed: int) -> Path:
    """Write every copy of every avatar with a nickname and `manifest.csv` below `out`; returns the manifest.

    A split is decided by identity and each split draws from names of its own, so nobody is in two.
    """
    (out / "avatars").mkdir(parents=True, exist_ok=True)
    names_of = _names_by_split(names)
    copies = [avatar for avatar in avatars for _ in range(avatar.copies)]
    rows: list[dict[str, object]] = []
    for index, avatar in enumerate(tqdm(copies, desc="avatars", unit="picture")):
        dice = Random(f"{seed}/{index}")
        split = split_of(avatar.identity)
        gender = avatar.gender or dice.choice(LABELS)
        file = out / "avatars" / f"{index:06}.jpg"
        file.write_bytes(avatar.encode(dice))
        nickname = nickname_for(avatar.gender, gender, names_of[split], dice)
        rows.append(_row(nickname, f"avatars/{file.name}", gender, split, avatar.source))
    return write_manifest(rows, out / "manifest.csv")


def write_nicknames(count: int, names: Names, out: Path, seed: int) -> Path:
    """Write `nicknames.csv` below `out`: `count` users without avatar, for the text tower alone."""
    names_of = _names_by_split(names)
    rows: list[dict[str, object]] = []
    for index in range(count):
        dice = Random(f"{seed}/nickname/{index}")
        split = dice.choices(SPLITS, weights=(8, 1, 1))[0]
        gender = LABELS[index % 2]
        rows.append(_row(nickname_for("", gender, names_of[split], dice), "", gender, split, "nicknames"))
    return write_manifest(rows, out / "nicknames.csv")


def nickname_for(shown: str, gender: str, names: Names, dice: Random) -> str:
    """A nickname for a user of `gender` whose avatar shows gender `shown` (empty: tells nothing)."""
    fate = dice.random()
    if fate < 0.05:
        return ""
    return compose_gendered(gender, names, dice) if fate < (0.55 if shown else 0.8) else compose_neutral(dice)


def _names_by_split(names: Names) -> dict[str, Names]:
    def belongs_to(split: str) -> Callable[[str], bool]:
        return lambda name: split_of(name) == split

    return {split: names.part(belongs_to(split)) for split in SPLITS}


def _row(nickname: str, avatar: str, gender: str, split: str, source: str) -> dict[str, object]:
    return {"nickname": nickname, "avatar": avatar, "gender": gender, "split": split, "source": source}
