"""The columns of a table of users."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Final

from genderclient.tables.errors import TableError

Row = dict[str, Any]

# The key of the InvalidInput of a row that cannot be read. No column has this name: it is a control character.
FAULT: Final = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The names of the columns that a job reads and never writes. Case and surrounding spaces do not matter.

    By default, avatars and nicknames are in the columns `avatar` and `nickname`, of which one may be missing. A column
    that is named here must exist. If `id` is None, no id is copied to the output.
    """

    avatar: str | None = None
    nickname: str | None = None
    id: str | None = None

    # A table has at least one of them.
    sources: ClassVar[tuple[str, ...]] = ("avatar", "nickname")

    def match(self, file: Path, present: Collection[str]) -> dict[str, str]:
        """The column of each role that `file` has.

        The errors do not list the columns: the first line of a file without a header is a user.

        Raises:
            TableError: a named column does not exist, there are several, or there is none of `sources`.
        """
        matches = {}
        for role in (field.name for field in fields(self)):
            named = getattr(self, role)
            names = _find(named or role, present) if named or role != "id" else []
            if len(names) > 1:
                raise TableError(f"{file}: expected one column {named or role!r}, got {len(names)}; rename the others")
            if names:
                matches[role] = names[0]
            elif named:
                raise TableError(f"{file}: no column {named!r} among the {len(present)} columns")
        if not matches.keys() & {*self.sources}:
            raise TableError(
                f"{file}: no column {' or '.join(self.sources)} among the {len(present)} columns; "
                "name yours, or add a header if there is none"
            )
        return matches


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingColumns(Columns):
    """The names of the columns of a `RankingTask`: those of `Columns`, and three more inputs of `rank`.

    By default, liked pictures are in `liked`, and the stored features of a user in `embedding`, `male` and `female`, as
    `genderclient score --embedding` writes them. A row with an embedding needs neither avatar nor nickname.
    """

    liked: str | None = None
    embedding: str | None = None
    male: str | None = None
    female: str | None = None

    sources: ClassVar[tuple[str, ...]] = ("avatar", "nickname", "embedding", "liked", "id")

    def match(self, file: Path, present: Collection[str]) -> dict[str, str]:
        """The column of each role that `file` has, like `Columns.match`."""
        matches = Columns.match(self, file, present)
        if "embedding" not in matches:
            return {role: column for role, column in matches.items() if role not in ("male", "female")}
        if missing := {"male", "female"} - matches.keys():
            raise TableError(f"{file}: embeddings need the columns male and female; {sorted(missing)[0]} is missing")
        return matches


def kept_names(columns: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """The name in the output of each further column of the table: `input_gender` if `gender` is taken.

    Raises:
        TableError: two columns have the same name, there or in the output.
    """
    columns = list(columns)
    names = {column: f"input_{column}" if column in taken else column for column in columns}
    if len({*names.values()}) < len(columns):
        raise TableError("two columns of the table have the same name in the output; rename one, for example input_id")
    return names


def check_same_roles(files: Iterable[Path], matches: Iterable[dict[str, str]]) -> None:
    """Raise TableError if a file of a table lacks a column that the first file has, or has one more."""
    first, *others = zip(files, matches, strict=True)
    for file, roles in others:
        if different := sorted(roles.keys() ^ first[1].keys()):
            raise TableError(f"{first[0]} and {file}: only one of them has the column {', '.join(different)}")


def _find(name: str, present: Collection[str]) -> list[str]:
    """The columns with exactly this name, else those that differ in case and surrounding spaces only."""
    exact = [column for column in present if column == name]
    return exact or [column for column in present if _normalize(column) == _normalize(name)]


def _normalize(name: str) -> str:
    return name.strip().casefold()
