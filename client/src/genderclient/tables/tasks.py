"""What a job asks about each user of a table, and the columns of the results."""

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Protocol, TypeAlias

import pyarrow as pa

from genderclient import Client, HistoryStore, Prediction, Ranked, Ranking, User
from genderclient._config.request_options import RequestOptions
from genderclient._many import CallError, ask_in_threads
from genderclient._questions.ranking import RANK_FEATURES_MODEL, RANK_MODEL, rank_question, seed_of_user
from genderclient.tables.columns import Row
from genderclient.tables.errors import TableError

KEY_SCHEMA: Final = pa.schema({"row": pa.int64(), "id": pa.string()})
FAILURE_SCHEMA: Final = pa.schema([*KEY_SCHEMA, pa.field("error", pa.string()), pa.field("reason", pa.string())])
_MODEL: Final = dict.fromkeys(("model", "version"), pa.string())

# The columns of a result, or why there is none.
Outcome: TypeAlias = Row | CallError
Outcomes: TypeAlias = Generator[Outcome, None, None]


class Task(Protocol):
    """One question about every user. It can be pickled."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of a result."""

    def describe(self) -> dict[str, Any]:
        """What distinguishes the results from those of another job, as JSON."""

    def model_for(self, roles: Collection[str]) -> str | None:
        """The model that must be ready for a table with these columns; None means the client's own.

        Raises:
            TableError: the task needs other columns.
        """

    def ask(self, client: Client, users: list[User], keys: Sequence[Row], concurrency: int) -> Outcomes:
        """Asks about each user, in order. `keys` are their positions in the table and their ids.

        Closing the generator waits for the requests in flight.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringTask:
    """Predicts.

    Args:
        embedding: Whether the results include the embeddings, which `RankingTask` reads.
    """

    embedding: bool = False

    @property
    def schema(self) -> pa.Schema:
        numbers = ("probability", "male", "female", "weight_avatar", "weight_nickname")
        columns = {"gender": pa.string(), **dict.fromkeys(numbers, pa.float32()), **_MODEL}
        return pa.schema(columns | ({"embedding": pa.list_(pa.float32())} if self.embedding else {}))

    def describe(self) -> dict[str, Any]:
        return {"embedding": True} if self.embedding else {}

    def model_for(self, roles: Collection[str]) -> None:
        return None

    def ask(self, client: Client, users: list[User], keys: Sequence[Row], concurrency: int) -> Outcomes:
        for scored in client.predict_many(users, concurrency=concurrency, embedding=self.embedding):
            yield self._row(scored.prediction) if scored.prediction else _raised(scored.error)

    def _row(self, prediction: Prediction) -> Row:
        row = {
            "gender": prediction.gender,
            "probability": prediction.probability,
            "male": prediction.probabilities.male,
            "female": prediction.probabilities.female,
            "weight_avatar": prediction.weights.avatar,
            "weight_nickname": prediction.weights.nickname,
            "model": prediction.model,
            "version": prediction.version,
        }
        return row | ({"embedding": prediction.embedding} if self.embedding else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingTask:
    """Ranks the pictures of the gallery. The arguments are those of `Client.rank_many`.

    Args:
        history: Reads the liked pictures by the ids of the users. By default, they are a column of the table.
    """

    k: int = 10
    among: Sequence[int] | None = None
    seed: int | None = None
    personalize: bool = True
    model: str | None = None
    history: HistoryStore | None = None

    schema: ClassVar[pa.Schema] = pa.schema(
        {
            "pictures": pa.list_(pa.int64()),
            **dict.fromkeys(("scores", "propensities"), pa.list_(pa.float32())),
            **_MODEL,
            "request_id": pa.string(),
        }
    )

    def __post_init__(self) -> None:
        # An invalid argument fails now, not once for every user.
        options = RequestOptions()
        rank_question(
            None, None, None, options=options, among=self.among, k=self.k, seed=self.seed, personalize=self.personalize
        )

    def describe(self) -> dict[str, Any]:
        lists = {"k": self.k, "among": self.among and list(self.among), "seed": self.seed}
        return {"rank": lists | {"personalize": self.personalize, "model": self.model, "history": bool(self.history)}}

    def model_for(self, roles: Collection[str]) -> str:
        if self.history and "id" not in roles:
            raise TableError("history: expected the ids of the users; name their column with --id-column")
        if not self.history and not {*roles} - {"id"}:
            raise TableError("the table has ids only; add --history, or a column avatar, nickname, embedding or liked")
        return self.model or (RANK_FEATURES_MODEL if "embedding" in roles and self.personalize else RANK_MODEL)

    def ask(self, client: Client, users: list[User], keys: Sequence[Row], concurrency: int) -> Outcomes:
        if self.history:
            liked = self.history.liked_many([key["id"] or "" for key in keys])
            users = [replace(user, liked=pictures) for user, pictures in zip(users, liked, strict=True)]

        def rank(index: int, user: User) -> Ranking:
            key = keys[index]["id"] or keys[index]["row"]
            return client.rank(
                avatar=user.avatar,
                nickname=user.nickname,
                features=user.features,
                liked=user.liked,
                among=self.among,
                k=self.k,
                seed=None if self.seed is None else seed_of_user(self.seed, key),
                personalize=self.personalize,
                model=self.model,
            )

        for ranked in ask_in_threads(rank, users, Ranked, concurrency=concurrency, ordered=True):
            yield _list_row(ranked.ranking) if ranked.ranking else _raised(ranked.error)


def _list_row(ranking: Ranking) -> Row:
    return {name: getattr(ranking, name) for name in RankingTask.schema.names}


def _raised(error: CallError | None) -> CallError:
    assert error is not None
    return error
