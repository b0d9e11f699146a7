r"""Write a preference world as files: impressions, and a gallery of the drawn cards.

    python -m training.synthetic.cards --out runs/cards
    python -m training.ranking.world --cards CARDS.csv --vectors VECTORS.npy --out runs/world

Writes `impressions.parquet` (of all days; the pictures of the last day are new) and `gallery/` with `vectors.npy`,
`ids.npy` and a copy of `--gallery-json`, which binds a ranker to the encoder. `--profiles` takes what the served gender
models say about users, see `training.ranking.profiles`.
"""

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from sklearn.preprocessing import normalize

from ..arrays import FloatsND, IntsN
from ..data.bad_rows import ManifestError
from ..data.manifest import split_of
from ..data.tables import read_array, read_arrays, read_text_columns
from ..synthetic.preference_log import impressions_of
from ..synthetic.preference_pictures import Stock, publish
from ..synthetic.preference_sessions import Profiles, Sessions, draw_profiles, draw_sessions
from ..synthetic.preferences import CELLS, World, cells_of, draw_world

DAYS: Final = 12
WINDOW: Final = 4
# Cards of each cell: of the encoder's train split, and of its test split, which are new on the last day.
_OLD, _NEW = 10, 5


@dataclass(frozen=True)
class Setting:
    """A world with its pictures, their vectors [P, D], and its users."""

    world: World
    stock: Stock
    vectors: FloatsND
    profiles: Profiles

    def sessions(self, train: int, test: int, seed: int) -> Sessions:
        """Draw sessions of the days before the last, and then of the last day, with other users' profiles."""
        last, half = self.stock.last_day, len(self.profiles) // 2
        past = draw_sessions(
            self.world, self.stock, self.profiles, train, seed, range(self.stock.window, last), range(half)
        )
        new = draw_sessions(
            self.world,
            self.stock,
            self.profiles,
            test,
            seed + 1_000_000,
            range(last, last + 1),
            range(half, len(self.profiles)),
        )
        return past.joined(new)


def setting_of(cards: pd.DataFrame, vectors: FloatsND, seed: int, profiles: Profiles | None = None) -> Setting:
    """Choose cards and publish them in a world.

    Args:
        cards: The columns id, theme, style and split; the last day's pictures are of the split `test`.
        vectors: The vectors of the cards, [N, D].
        seed: Of the choice and of the world.
        profiles: Of users; by default surrogates.
    """
    rows, split = chosen_cards(cards, seed), cards["split"].to_numpy()
    cells = cells_of(*(cards[name].iloc[rows].tolist() for name in ("theme", "style")))
    stock = publish(cards["id"].to_numpy()[rows], cells, split[rows] == "test", DAYS, WINDOW, seed)
    return Setting(draw_world(seed), stock, vectors[rows], profiles or draw_profiles(2000, seed))


def chosen_cards(cards: pd.DataFrame, seed: int) -> IntsN:
    """Return the rows of a world's cards: some of the train and of the test split, which has the last day's."""
    order = np.random.default_rng((seed, 22)).permutation(len(cards))
    shuffled = cards.iloc[order]
    place = shuffled.groupby(["split", "theme", "style"]).cumcount().to_numpy()
    wanted = shuffled["split"].map({"train": _OLD, "test": _NEW}).fillna(0).to_numpy()
    return order[place < wanted]


def read_cards(manifest: Path) -> pd.DataFrame:
    """Read a manifest of cards with the columns theme and style.

    Without a column `id`, cards have the ids that `conversion.publish_gallery` gives them, 1, 2, …; without `split`,
    the split of `training.pretrain.pictures`.

    Raises:
        ManifestError: The file is damaged, or a column is missing.
        FileNotFoundError: It does not exist.
    """
    cards = read_text_columns(manifest, "theme", "style")
    ids = pd.to_numeric(cards["id"], errors="coerce") if "id" in cards else pd.Series(np.arange(1, len(cards) + 1))
    if ids.isna().any():
        raise ManifestError(f"{manifest}: row {int(ids.isna().argmax()) + 1}: expected a number in the column id")
    cards["id"] = ids.astype(int)
    if "split" not in cards:
        if "card" not in cards:
            raise ManifestError(f"{manifest}: expected a column split or card, got {', '.join(cards.columns)}")
        cards["split"] = cards["card"].map(split_of)
    return cards


def exact_vectors(cells: IntsN, size: int = 32) -> FloatsND:
    """Return unit vectors [P, size] that tell theme and style exactly: random directions of both, added."""
    rng = np.random.default_rng((0, 23))
    names = np.array(CELLS)[cells]
    parts = [
        rng.normal(size=(len(kinds), size))[numbers]
        for kinds, numbers in (np.unique(names[:, column], return_inverse=True) for column in range(2))
    ]
    return np.asarray(normalize(parts[0] + parts[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=Path, required=True, help="manifest of training.synthetic.cards")
    parser.add_argument("--vectors", type=Path, required=True, help="npy with the vector of each card")
    parser.add_argument("--profiles", type=Path, help="npz with p_female and embeddings; default: surrogates")
    parser.add_argument("--gallery-json", type=Path, help="gallery.json of the encoder that made the vectors")
    parser.add_argument("--sessions", type=int, default=24_000, help="train sessions; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, help="folder of the world")
    args = parser.parse_args()
    try:
        cards, vectors = read_cards(args.cards), read_array(args.vectors)
        if len(cards) != len(vectors):
            raise ManifestError(f"{args.vectors}: expected a vector of each of {len(cards)} cards, got {len(vectors)}")
        if args.gallery_json and not args.gallery_json.is_file():
            raise FileNotFoundError(f"no file {args.gallery_json}")
        profiles = args.profiles and read_profiles(args.profiles)
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"world: {exc}") from exc
    setting = setting_of(cards, vectors, args.seed, profiles=profiles)
    sessions = setting.sessions(args.sessions, args.sessions // 4, args.seed)
    (args.out / "gallery").mkdir(parents=True, exist_ok=True)
    impressions_of(sessions, setting.stock, setting.profiles).to_parquet(args.out / "impressions.parquet", index=False)
    np.save(args.out / "gallery/vectors.npy", setting.vectors.astype(np.float16))
    np.save(args.out / "gallery/ids.npy", setting.stock.ids)
    if args.gallery_json:
        shutil.copy(args.gallery_json, args.out / "gallery/gallery.json")
    print(args.out)


def read_profiles(file: Path) -> Profiles:
    """Read profiles that `training.ranking.profiles` wrote.

    Raises:
        ManifestError: It is no npz file, or lacks an array.
        FileNotFoundError: It does not exist.
    """
    arrays = read_arrays(file, "p_female", "embeddings")
    return Profiles(arrays["p_female"], arrays["embeddings"])


if __name__ == "__main__":
    main()
