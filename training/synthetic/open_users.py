r"""Compose users of real pictures and generated nicknames: the open mix that fusion and calibration are fitted on.

    python -m training.synthetic.open_users --pictures runs/pictures.parquet --nicknames runs/nicknames.parquet \
        --out runs/open.parquet

Writes a Parquet manifest with the avatars' bytes. The pictures are those of `training.synthetic.pack_pictures`, with
the columns `avatar, gender, source, identity, kind, origin, age, split`; an empty gender means that a picture shows
none. The nicknames are those of `training.synthetic.open_nicknames`, with the columns `nickname, p_female, split`.

A user's gender decides how likely each picture and each nickname is; given the gender, they are independent. `p_female`
is the probability of the gender given both. Training takes it as soft label; as `posterior`, evaluation scores by it.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy.special import expit, logit

from genderprep.tensors import LABELS

from ..arrays import BoolsN, FloatsN, IntsN
from ..data.bad_rows import ManifestError
from ..data.manifest import SPLITS
from ..data.tables import read_parquet

# Shares of the kinds of pictures; kinds that a split lacks leave theirs to the others.
KINDS: Final = {"photo": 0.55, "cartoon": 0.13, "emoji": 0.12, "render": 0.03, "neutral": 0.17}
# Share of the users whose picture shows their own gender, of those whose picture shows one.
OWN_PICTURE: Final = 0.98
# Shares of the users with an avatar and with a nickname; the pattern without both is not drawn.
PATTERNS: Final = {(True, True): 0.7, (True, False): 0.15, (False, True): 0.15}
_COPIED: Final = ["source", "identity", "kind", "origin", "age"]
_ROW_GROUP: Final = 1000


def compose(pictures: pd.DataFrame, nicknames: pd.DataFrame, count: int, rng: Generator) -> pd.DataFrame:
    """Return `count` users of pictures and nicknames of one split."""
    shown = pictures.iloc[_draw_pictures(pictures, count, rng)].reset_index(drop=True)
    evidence = shown["gender"].map({"female": logit(OWN_PICTURE), "male": -logit(OWN_PICTURE)}).fillna(0.0).to_numpy()
    female = rng.random(count) < expit(evidence)
    named, name_evidence = _draw_nicknames(nicknames["p_female"].to_numpy(float), female, rng)
    patterns = np.array(list(PATTERNS))[rng.choice(len(PATTERNS), count, p=list(PATTERNS.values()))]
    users = pd.DataFrame(
        {
            "nickname": nicknames["nickname"].to_numpy(object)[named],
            "avatar": shown["avatar"],
            "gender": np.where(female, *reversed(LABELS)),
            "p_female": expit(evidence * patterns[:, 0] + name_evidence * patterns[:, 1]).round(6),
            **{column: shown[column] for column in _COPIED},
        }
    )
    users.loc[~patterns[:, 0], _COPIED] = ["nicknames", "", "", "", ""]
    users["posterior"] = users["p_female"]
    users["avatar"] = users["avatar"].where(patterns[:, 0], b"")
    users["nickname"] = users["nickname"].where(patterns[:, 1], "")
    return users


def _draw_pictures(pictures: pd.DataFrame, count: int, rng: Generator) -> list[int]:
    """Draw row positions: a kind by its share, then women as often as men, then any picture."""
    kinds = [kind for kind in KINDS if (pictures["kind"] == kind).any()]
    shares = np.array([KINDS[kind] for kind in kinds])
    rows = pictures.reset_index().groupby(["kind", "gender"]).indices
    genders = {kind: pictures.loc[pictures["kind"] == kind, "gender"].to_numpy(object) for kind in kinds}
    drawn = []
    for kind in rng.choice(kinds, count, p=shares / shares.sum()):
        gender = rng.choice(genders[kind])
        candidates = [rows[kind, label] for label in LABELS if (kind, label) in rows] if gender else [rows[kind, ""]]
        drawn.append(int(rng.choice(candidates[rng.integers(len(candidates))])))
    return drawn


def _draw_nicknames(p_female: FloatsN, female: BoolsN, rng: Generator) -> tuple[IntsN, FloatsN]:
    """Draw a nickname for each user by P(nickname | gender); return its position and its evidence, a logit."""
    positions = np.empty(len(female), int)
    for gender, likelihood in ((True, p_female), (False, 1 - p_female)):
        positions[female == gender] = rng.choice(
            len(p_female), int((female == gender).sum()), p=likelihood / likelihood.sum()
        )
    return positions, logit(p_female[positions]) - logit(p_female.mean())


def write_open_users(
    pictures: pd.DataFrame, nicknames: pd.DataFrame, counts: dict[str, int], out: Path, seed: int
) -> Path:
    """Write a manifest with `counts` users of each split; return the file."""
    parts = []
    for index, (split, count) in enumerate(counts.items()):
        if not count:
            continue
        shown, named = (table[table["split"] == split] for table in (pictures, nicknames))
        parts.append(compose(shown, named, count, np.random.default_rng((seed, index))).assign(split=split))
    out.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(parts).to_parquet(out, index=False, row_group_size=_ROW_GROUP)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--nicknames", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a .parquet file")
    parser.add_argument("--counts", type=int, nargs=3, default=(20_000, 6_000, 6_000), metavar=SPLITS)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        pictures = read_parquet(args.pictures, "avatar", "gender", *_COPIED, "split")
        nicknames = read_parquet(args.nicknames, "nickname", "p_female", "split")
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"open_users: {exc}") from exc
    print(write_open_users(pictures, nicknames, dict(zip(SPLITS, args.counts, strict=True)), args.out, args.seed))


if __name__ == "__main__":
    main()
