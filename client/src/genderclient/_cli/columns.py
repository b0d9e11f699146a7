"""Which column of a table holds what."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genderclient._many import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns are called; without `id` none is copied."""

    avatar: str
    nickname: str
    id: str | None

    def names(self) -> list[str]:
        return [name for name in (self.avatar, self.nickname, self.id) if name]

    def missing(self, present: Collection[str]) -> list[str]:
        """Those that a table with these columns should have; one of avatar and nickname is enough."""
        needed = [self.id] if self.id else []
        if self.avatar not in present and self.nickname not in present:
            needed += [self.avatar, self.nickname]
        return [name for name in needed if name not in present]

    def user(self, row: dict[str, Any], folder: Path) -> User:
        """The user in a row; an avatar that is text is a file in `folder`."""
        avatar: Any = row.get(self.avatar) or None
        if isinstance(avatar, str):
            avatar = folder / avatar
        return User(avatar=avatar, nickname=row.get(self.nickname))

    def id_in(self, row: dict[str, Any]) -> str | None:
        """The id in a row, as text."""
        identity = row.get(self.id) if self.id else None
        return None if identity is None else str(identity)
