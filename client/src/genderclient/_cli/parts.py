"""A part of a table: its users scored, and their rows in a file that is there whole or not at all.

Both kinds of rows are in one file, which is renamed into place once. Whoever does a part again, and be it at the same
time, puts the same rows into its place.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from genderclient._cli.columns import Columns
from genderclient._cli.tables import Row
from genderclient._client import Client
from genderclient._exceptions import GenderClientError, InvalidInput
from genderclient._many import Scored

ROWS: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """Scores rows, `concurrency` at once; avatars that are paths are relative to `pictures`."""

    columns: Columns
    pictures: Path
    concurrency: int

    def score(
        self, client: Client, part: list[Row], first: int, *, tick: Callable[[], object] = lambda: None
    ) -> list[Row]:
        """What is written of a part whose first row has the number `first`; each user is a `tick`.

        Raises the GenderClientError that is the server's fault, not the user's.
        """
        users = [self.columns.user(row, self.pictures) for row in part]
        rows: list[Row] = []
        for result in client.predict_many(users, concurrency=self.concurrency):
            known = {"row": first + result.index, "id": self.columns.id_in(part[result.index])}
            rows.append(known | _outcome(result))
            tick()
        return rows


def write(folder: Path, number: int, rows: list[Row]) -> None:
    """Put a part into its place."""
    unfinished = folder / f".{number:08d}-{uuid.uuid4().hex}"
    unfinished.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    unfinished.replace(folder / f"{number:08d}.jsonl")


def finished(folder: Path) -> set[int]:
    """The numbers of the parts that are in their place."""
    return {int(file.stem) for file in folder.glob("*.jsonl")}


def read(folder: Path) -> Iterator[Row]:
    """The rows of all parts, in order."""
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row: Row = json.loads(line)
            yield row


def _outcome(result: Scored) -> Row:
    """The answer, or why there is none: neither the avatar nor the nickname. Raises what is the server's fault."""
    if result.prediction is None:
        if isinstance(result.error, GenderClientError) and not isinstance(result.error, InvalidInput):
            raise result.error
        return {"error": type(result.error).__name__, "reason": str(result.error)}
    answer = result.prediction
    return {
        "gender": answer.gender,
        "probability": answer.probability,
        "male": answer.probabilities.male,
        "female": answer.probabilities.female,
        "weight_avatar": answer.weights.avatar,
        "weight_nickname": answer.weights.nickname,
        "model": answer.model,
        "version": answer.version,
    }
