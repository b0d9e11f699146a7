"""The columns of a table of users."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from genderclient.tables.errors import TableError

Row = dict[str, Any]

# What a job reads of a row. The nickname and the avatar are never written.
ROLES: Final = ("avatar", "nickname", "id")
# The key of the InvalidInput of a row that cannot be read. No column has this name: it is a control character.
FAULT: Final = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The names of the columns. Case and surrounding spaces do not matter.

    By default, avatars and nicknames are in the columns `avatar` and `nickname`, of which one may be missing. A column
    that is named here must exist. If `id` is None, no id is copied to the output.
    """

    avatar: str | None = None
    nickname: str | None = None
    id: str | None = None

    def match(self, file: Path, present: Collection[str]) -> dict[str, str]:
        """The column of each role that `file` has.

        The errors do not list the columns: the first line of a file without a header is a user.

        Raises:
            TableError: a named column does not exist, there are several, or there are neither avatars nor nicknames.
        """
        matches = {}
        for role in ROLES:
            named = getattr(self, role)
            names = _find(named or role, present) if named or role != "id" else []
            if len(names) > 1:
                raise TableError(f"{file}: expected one column {named or role!r}, got {len(names)}; rename the others")
            if names:
                matches[role] = names[0]
            elif named:
                raise TableError(f"{file}: no column {named!r} among the {len(present)} columns")
        if matches.keys() <= {"id"}:
            raise TableError(
                f"{file}: no column avatar or nickname among the {len(present)} columns; "
                "name yours, or add a header if there is none"
            )
        return matches


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
