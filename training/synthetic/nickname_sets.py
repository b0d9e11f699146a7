r"""Write the nicknames on which text towers are compared; no train row of the open world has their names and words.

    python -m training.synthetic.nickname_sets --data runs/nicknames.parquet --out runs/nickname_sets.parquet

The columns are `nickname`, `gender`, `p_female` and `set`. `names` are the names of the test split of an open-world
manifest, and `other nicknames` are the rest of it. `random words` are phrases of jieba's dictionary, and
`foreign words` are phrases of 25 other languages; they say nothing. `census` holds the 100 commonest first names of
women and of men in the US census of 1990; most of them are train rows too.
"""

import argparse
from pathlib import Path
from random import Random
from typing import Final

import pandas as pd

from genderprep.tensors import LABELS

from ..data.manifest import Manifest, ManifestError
from .foreign_words import foreign_words
from .name_tables import census
from .open_nicknames import part_split
from .open_words import chinese_words

NAMES: Final = ("han", "pinyin", "latin", "japanese", "other script")
PHRASES: Final = 3000
CENSUS_NAMES: Final = 100


def nickname_sets(manifest: Manifest) -> pd.DataFrame:
    """Return the nicknames of every set.

    Raises:
        ManifestError: The manifest cannot be used.
    """
    test = pd.concat(manifest.tables("test", columns=("nickname", "source", "p_female")))
    names = [(name, gender) for gender in LABELS for name, _ in census()[gender][:CENSUS_NAMES]]
    sets = {
        "names": test[test["source"].isin(NAMES)],
        "other nicknames": test[~test["source"].isin(NAMES)],
        "random words": _neutral(random_phrases(Random(0))),
        "foreign words": _neutral(foreign_phrases(Random(0))),
        "census": pd.DataFrame(names, columns=["nickname", "gender"]),
    }
    every = pd.concat([table.assign(set=name) for name, table in sets.items()], ignore_index=True)
    return every[["nickname", "gender", "p_female", "set"]]


def random_phrases(rng: Random) -> list[str]:
    """Return `PHRASES` phrases of one to six random words of the test split."""
    words = [word for word in chinese_words() if part_split(word) == "test"]
    return ["".join(rng.choices(words, k=rng.randint(1, 6))) for _ in range(PHRASES)]


def foreign_phrases(rng: Random) -> list[str]:
    """Return as many phrases of one to three words of it, each of one language; all languages are as likely."""
    words = [[word for word in every if part_split(word) == "test"] for every in foreign_words().values()]
    languages = rng.choices([every for every in words if every], k=PHRASES)
    return [" ".join(rng.choices(every, k=rng.randint(1, 3))) for every in languages]


def _neutral(phrases: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"nickname": phrases, "gender": "", "p_female": 0.5})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest of training.synthetic.open_nicknames")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file")
    args = parser.parse_args()
    try:
        nickname_sets(Manifest(args.data)).to_parquet(args.out, index=False)
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"nickname_sets: {exc}") from exc
    print(args.out)


if __name__ == "__main__":
    main()
