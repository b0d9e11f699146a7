"""The question of `rank`: a user and liked pictures in, the pictures to show out."""

import hashlib
from collections.abc import Iterable
from typing import Final

from genderclient._avatar import Avatar
from genderclient._config.checks import check_type
from genderclient._config.request_options import RequestOptions
from genderclient._features import EMBEDDING_SIZE, UserFeatures
from genderclient._missing import is_missing
from genderclient._models import Metadata, Prediction, Ranking
from genderclient._questions import gender
from genderclient._questions.arguments import MAX_INTEGER, checked_ids, checked_integer, integer_tensor
from genderclient._questions.pictures import decode_list
from genderclient._questions.question import Question
from genderclient._transports.base import InferenceResponse
from genderclient._transports.tensors import FloatTensor, Tensor

RANK: Final = "rank"
# Read the user from avatar and nickname, or from stored features.
RANK_MODEL: Final = "rank_mobilenet"
RANK_FEATURES_MODEL: Final = "rank_embedding"
MAX_RANKED: Final = 20
MAX_CANDIDATES: Final = 1000
MAX_HISTORY: Final = 50


def rank_question(
    avatar: "Avatar | None",
    nickname: str | None,
    features: "Prediction | UserFeatures | None",
    *,
    options: RequestOptions,
    liked: Iterable[int] = (),
    among: Iterable[int] | None = None,
    k: int = MAX_RANKED,
    seed: int | None = None,
    personalize: bool = True,
    embedding: bool = False,
) -> Question[Ranking]:
    check_type("personalize", personalize, bool, "True or False")
    if features is not None and not (is_missing(avatar) and is_missing(nickname)):
        raise ValueError("features: got an avatar or a nickname too; pass one or the other")
    k = checked_integer("k", k, 1, MAX_RANKED)
    lists = _encode_lists(checked_ids("liked", liked, MAX_HISTORY) if personalize else (), among, seed)
    if not personalize:
        return _question_with(gender.predict_question(None, None, embedding, options), lists, k, predicts=False)
    if features is not None:
        return _question_with_features(UserFeatures.of(features), lists, k)
    return _question_with(gender.predict_question(avatar, nickname, embedding, options), lists, k)


def _question_with(
    user: Question[Prediction], lists: tuple[Tensor, ...], k: int, *, predicts: bool = True
) -> Question[Ranking]:
    """Ranks for the user of a `predict`."""
    without_avatar = user.without_avatar
    return Question(
        name=RANK,
        model=RANK_MODEL,
        encode=lambda: (*user.encode(), *lists),
        decode=lambda response, metadata: _decode(
            response, metadata, k, user.decode(response, metadata) if predicts else None
        ),
        without_avatar=without_avatar and (lambda reason: _question_with(without_avatar(reason), lists, k)),
    )


def _question_with_features(user: UserFeatures, lists: tuple[Tensor, ...], k: int) -> Question[Ranking]:
    probabilities = (user.probabilities.male, user.probabilities.female)
    return Question(
        name=RANK,
        model=RANK_FEATURES_MODEL,
        encode=lambda: (
            FloatTensor(gender.EMBEDDING, (1, EMBEDDING_SIZE), user.embedding),
            FloatTensor(gender.PROBABILITIES, (1, len(probabilities)), probabilities),
            *lists,
        ),
        decode=lambda response, metadata: _decode(response, metadata, k),
    )


def _encode_lists(liked: tuple[int, ...], among: Iterable[int] | None, seed: int | None) -> tuple[Tensor, ...]:
    """The optional inputs that are there. Without candidates, the whole gallery is ranked."""
    tensors = []
    if liked:
        tensors.append(integer_tensor("HISTORY", liked))
    if (candidates := checked_candidates(among)) is not None:
        tensors.append(integer_tensor("CANDIDATES", candidates))
    if seed is not None:
        tensors.append(integer_tensor("SEED", [checked_integer("seed", seed, 0, MAX_INTEGER)]))
    return tuple(tensors)


def checked_candidates(among: Iterable[int] | None) -> tuple[int, ...] | None:
    """Returns the ids to choose from, None for the whole gallery. Raises TypeError or ValueError for other values."""
    if among is None:
        return None
    candidates = checked_ids("among", among, MAX_CANDIDATES + 1)
    if not 1 <= len(candidates) <= MAX_CANDIDATES:
        got = "none" if not candidates else f"over {MAX_CANDIDATES}"
        raise ValueError(f"among: got {got}, expected 1 to {MAX_CANDIDATES} pictures, or None for the whole gallery")
    return candidates


def checked_options(
    among: Iterable[int] | None,
    k: int,
    seed: int | None,
    personalize: bool,
    embedding: bool,
    options: RequestOptions,
) -> tuple[int, ...] | None:
    """Returns the candidates of many rankings. Raises TypeError or ValueError for a bad option of any kind."""
    candidates = checked_candidates(among)
    rank_question(
        None, None, None,
        among=candidates, k=k, seed=seed, personalize=personalize, embedding=embedding, options=options,
    )  # fmt: skip
    return candidates


def seed_of_user(seed: int, user: str | int) -> int:
    """A seed for one of many users. With one seed for all, the same pictures would be explored for everyone."""
    digest = hashlib.sha256(f"{checked_integer('seed', seed, 0, MAX_INTEGER)}:{user}".encode(errors="surrogatepass"))
    return int.from_bytes(digest.digest()[:8], "big") & MAX_INTEGER


def _decode(response: InferenceResponse, metadata: Metadata, k: int, prediction: Prediction | None = None) -> Ranking:
    pictures, (scores, propensities) = decode_list(response, ("SCORES", "PROPENSITIES"), k)
    return Ranking(
        pictures=pictures,
        scores=scores,
        propensities=propensities,
        prediction=prediction,
        **metadata,
    )
