r"""Measure served versions beside each other on the same held-out users.

    python -m conversion.versions --repository ../release/model_repository --repository model_repository \
        --set pictures=runs/pictures.parquet --set nicknames=runs/nickname_sets.parquet --set users=runs/open.parquet

Each repository prepares the users with its own preprocessing, so versions of different preprocessings can be compared.
A set is a table with the column `gender`, and `avatar`, `nickname` or both; with a column `split`, the test rows count.
An empty or null gender means that the row shows none. Intervals take rows of the same `identity` as dependent. Writes
`results/versions.json`.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genderprep.tensors import PROBABILITIES
from server.catalog import Catalog, CatalogError
from training.arrays import BoolsN, FloatsN
from training.data.bad_rows import ManifestError
from training.data.tables import read_parquet
from training.evaluation.intervals import identities_of
from training.evaluation.trust import doubt, trust
from training.report import write_report

from .errors import FAILURES
from .foreign_preprocessing import prepare, preprocessing_of
from .parity import run_onnx

ROOT: Final = Path(__file__).parent.parent
# A group of fewer rows or identities has no figures: resampling a few identities gives too narrow an interval.
MIN_ROWS: Final = 40
MIN_IDENTITIES: Final = 10
_GROUPED_BY: Final = ("set", "source", "pattern")
# Columns that describe the people in photographs.
_PEOPLE: Final = ("origin", "age")
# Rows that are prepared at once: 50 MB of pixels.
_CHUNK: Final = 1024


def measure(repositories: list[Path], sets: Mapping[str, Path], results: Path) -> dict[str, Any]:
    """Measure all served backbones of `repositories` on `sets`, and write `versions.json` to the folder `results`.

    Raises:
        CatalogError: A repository serves no gender model.
        ManifestError: A set cannot be read, or has no test rows.
        FileNotFoundError: A set does not exist.
    """
    for repository in repositories:
        if not Catalog(repository).backbones():
            raise CatalogError(f"{repository}: expected a model repository that serves a gender model")
    measured: dict[str, Any] = {}
    for name, file in sets.items():
        table = held_out(file)
        predictions = {label: p for repository in repositories for label, p in predicted(Catalog(repository), table)}
        by_group = {
            group: {label: measures(table[rows], p[rows]) for label, p in predictions.items()}
            for group, rows in groups(table).items()
        }
        measured[name] = {group: by_label for group, by_label in by_group.items() if any(by_label.values())}
    write_report(results / "versions.json", sets=measured)
    return measured


def held_out(file: Path) -> pd.DataFrame:
    """Read the test rows of a set, with a column for each modality and the `pattern` of those that are present."""
    table = read_parquet(file, "gender")
    if "split" in table:
        table = table[table["split"] == "test"]
    if table.empty:
        raise ManifestError(f"{file}: expected rows of the split test, got none")
    table = table.reset_index(drop=True)
    avatars = table.get("avatar", pd.Series(b"", table.index))
    table["avatar"] = avatars.where(avatars.notna(), b"")
    table["nickname"] = table.get("nickname", pd.Series("", table.index)).fillna("")
    table["gender"] = table["gender"].fillna("")
    has = [(table[column].map(len) > 0).to_numpy() for column in ("avatar", "nickname")]
    table["pattern"] = np.array(["nothing", "nickname only", "avatar only", "both"])[2 * has[0] + has[1]]
    return table


def predicted(catalog: Catalog, table: pd.DataFrame) -> Iterator[tuple[str, FloatsN]]:
    """Yield the label of each served backbone, such as `mobilenet 2`, and its P(female) for the rows."""
    for backbone in catalog.backbones():
        file, genderprep = str(catalog.served_onnx(backbone)), preprocessing_of(catalog, backbone)
        chunks = (prepare(table.iloc[start : start + _CHUNK], genderprep) for start in range(0, len(table), _CHUNK))
        p_female = np.concatenate([run_onnx(file, chunk)[PROBABILITIES][:, 1] for chunk in chunks])
        yield f"{backbone} {catalog.served_version(backbone)}", p_female


def groups(table: pd.DataFrame) -> dict[str, BoolsN]:
    """Return the rows of each group: all, by set, source and pattern, and photos by people."""
    members = {"all": np.ones(len(table), np.bool_)}
    photos = table["kind"] == "photo" if "kind" in table else pd.Series(True, table.index)
    for column in (column for column in (*_GROUPED_BY, *_PEOPLE) if column in table):
        values = table[column].where(photos, "") if column in _PEOPLE else table[column]
        members |= {f"{column} {value}": (values == value).to_numpy() for value in sorted({*values} - {""})}
    return members


def measures(table: pd.DataFrame, p_female: FloatsN) -> dict[str, Any]:
    """Return how far P(female) can be trusted where the gender is known, and how much it doubts where none is shown.

    Each is measured on at least `MIN_ROWS` rows, of `MIN_IDENTITIES` people or drawings.
    """
    known, identities = (table["gender"] != "").to_numpy(), identities_of(table)
    female = (table["gender"][known] == "female").to_numpy(float)
    results = {}
    if _are_enough(identities[~known]):
        results["neutral"] = doubt(p_female[~known])
    if _are_enough(identities[known]) and len({*female}) == 2:
        results |= trust(female, p_female[known], identities[known])
    return results


def _are_enough(identities: NDArray[Any]) -> bool:
    return len(identities) >= MIN_ROWS and len({*identities}) >= MIN_IDENTITIES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, action="append", required=True, help="once for each repository")
    parser.add_argument(
        "--set", action="append", required=True, metavar="NAME=FILE", help="once for each Parquet table"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    sets = {name: Path(file) for name, _, file in (each.partition("=") for each in args.set)}
    try:
        measure(args.repository, sets, args.results)
    except FAILURES as exc:
        raise SystemExit(f"versions: {exc}") from exc


if __name__ == "__main__":
    main()
