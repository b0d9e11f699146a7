"""The columns of a table of users."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genderclient import User

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The names of the columns. If `id` is None, no id is copied to the output."""

    avatar: str = "avatar"
    nickname: str = "nickname"
    id: str | None = None

    def names(self) -> list[str]:
        return [name for name in (self.avatar, self.nickname, self.id) if name]

    def missing(self, present: Collection[str]) -> list[str]:
        """The required columns that are not in `present`; one of avatar and nickname is enough."""
        required = [self.id] if self.id else []
        if self.avatar not in present and self.nickname not in present:
            required += [self.avatar, self.nickname]
        return [name for name in required if name not in present]

    def user(self, row: Row, folder: Path) -> User:
        """The user of a row. A text avatar is the path of a file, relative to `folder`."""
        avatar: Any = row.get(self.avatar) or None
        if isinstance(avatar, str):
            avatar = folder / avatar
        return User(avatar=avatar, nickname=row.get(self.nickname))

    def id_of(self, row: Row) -> str | None:
        value = row.get(self.id) if self.id else None
        return None if value is None else str(value)
