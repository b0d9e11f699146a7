"""Users as the strata have them, written with the exact P(female | what is shown)."""

from pathlib import Path
from random import Random

from tqdm import tqdm

from genderprep.tensors import LABELS

from ..data.manifest import SPLITS, write_manifest
from .avatars import Gallery
from .nicknames import Names, compose
from .strata import NOT_SHOWN, SAYS_NOTHING, Stratum, draw_stratum, posterior, spoken_of


def write_users(count: int, gallery: Gallery, names: Names, out: Path, seed: int) -> Path:
    """Write `count` users to `manifest.csv` and their avatars to `avatars/` below `out`; returns the manifest."""
    (out / "avatars").mkdir(parents=True, exist_ok=True)
    rows = []
    for index in tqdm(range(count), desc="users", unit="user"):
        split, gender, stratum, dice = _person(f"{seed}/{index}")
        nickname = compose(spoken_of(stratum.nickname, gender), names, dice)
        avatar = gallery.pick(split, spoken_of(stratum.avatar, gender), seed * 10_000_000 + index, dice)
        file = f"avatars/{index:06}.jpg" if avatar else ""
        if avatar:
            (out / file).write_bytes(avatar.encode(dice))
        known = posterior(avatar.evidence if avatar else SAYS_NOTHING, nickname.evidence)
        source = avatar.source if avatar else "no avatar"
        rows.append(_row(nickname.text, file, gender, split, source, stratum, known))
    return write_manifest(rows, out / "manifest.csv")


def write_nicknames(count: int, names: Names, out: Path, seed: int) -> Path:
    """Write `count` users, of whom only the nickname is known, to `nicknames.csv` below `out`."""
    rows = []
    for index in range(count):
        split, gender, stratum, dice = _person(f"{seed}/nickname/{index}")
        nickname = compose(spoken_of(stratum.nickname, gender), names, dice)
        known = posterior(NOT_SHOWN, nickname.evidence)
        rows.append(_row(nickname.text, "", gender, split, "nicknames", stratum, known))
    return write_manifest(rows, out / "nicknames.csv")


def _person(key: str) -> tuple[str, str, Stratum, Random]:
    dice = Random(key)
    (split,) = dice.choices(SPLITS, weights=(7, 1, 2))
    return split, dice.choice(LABELS), draw_stratum(dice), dice


def _row(
    nickname: str, avatar: str, gender: str, split: str, source: str, stratum: Stratum, known: float
) -> dict[str, object]:
    return {
        "nickname": nickname,
        "avatar": avatar,
        "gender": gender,
        "split": split,
        "source": source,
        "stratum": stratum.name,
        "posterior": round(known, 6),
    }
