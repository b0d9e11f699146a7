"""Write synthetic users with who or what their avatar shows, their stratum and their exact posterior."""

from pathlib import Path
from random import Random
from typing import Final

from tqdm import tqdm

from genderprep.tensors import LABELS

from ..data.manifest import SPLITS, write_manifest
from .avatars import AvatarPool
from .nicknames import Names, compose
from .strata import NO_SIGNAL, UNOBSERVED, Stratum, draw_stratum, posterior, signaled_gender

COLUMNS: Final = ("nickname", "avatar", "gender", "split", "source", "identity", "stratum", "posterior")


def write_users(count: int, avatars: AvatarPool, names: Names, out: Path, seed: int) -> Path:
    """Write `count` users to `manifest.csv` and their avatars to `avatars/` below `out`; return the manifest."""
    (out / "avatars").mkdir(parents=True, exist_ok=True)
    rows = []
    for index in tqdm(range(count), desc="users", unit="user"):
        split, gender, stratum, rng = _draw_user(f"{seed}/{index}")
        nickname = compose(signaled_gender(stratum.nickname, gender), names, rng)
        avatar = avatars.pick(split, signaled_gender(stratum.avatar, gender), seed * 10_000_000 + index, rng)
        file = f"avatars/{index:06}.jpg" if avatar else ""
        if avatar:
            (out / file).write_bytes(avatar.encode(rng))
        p_female = posterior(avatar.evidence if avatar else NO_SIGNAL, nickname.evidence)
        source, identity = (avatar.source, avatar.identity) if avatar else ("no avatar", "")
        rows.append((nickname.text, file, gender, split, source, identity, stratum.name, round(p_female, 6)))
    return write_manifest([dict(zip(COLUMNS, row, strict=True)) for row in rows], out / "manifest.csv")


def write_nicknames(count: int, names: Names, out: Path, seed: int) -> Path:
    """Write `count` users without avatars to `nicknames.csv` below `out`; return the manifest."""
    rows = []
    for index in range(count):
        split, gender, stratum, rng = _draw_user(f"{seed}/nickname/{index}")
        nickname = compose(signaled_gender(stratum.nickname, gender), names, rng)
        p_female = posterior(UNOBSERVED, nickname.evidence)
        rows.append((nickname.text, "", gender, split, "nicknames", "", stratum.name, round(p_female, 6)))
    return write_manifest([dict(zip(COLUMNS, row, strict=True)) for row in rows], out / "nicknames.csv")


def _draw_user(seed: str) -> tuple[str, str, Stratum, Random]:
    rng = Random(seed)
    (split,) = rng.choices(SPLITS, weights=(7, 1, 2))
    return split, rng.choice(LABELS), draw_stratum(rng), rng
