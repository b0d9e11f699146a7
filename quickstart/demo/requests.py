"""What the page sends: JSON, with the picture in base64."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request

from genderclient import InvalidAvatar
from genderprep.limits import MAX_AVATAR_BYTES

# The picture in base64, and room for the rest.
MAX_BODY_BYTES: Final = MAX_AVATAR_BYTES * 4 // 3 + 2**17


class BadRequest(ValueError):
    """The page sent something else than expected; `code` names the sentence that the page shows."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Question:
    """One user, and the arm of the experiment; an empty arm is chosen by the user's id."""

    avatar: bytes | None = field(repr=False)
    nickname: str = field(repr=False)
    user_id: str
    arm: str


@dataclass(frozen=True)
class RankQuestion:
    """A user, the pictures that they liked, newest first, and how to rank; without a seed, nothing is explored."""

    user: Question
    liked: list[int]
    personalize: bool
    seed: int | None


async def read_json(request: Request) -> dict[str, Any]:
    """Read the body of a request.

    Raises:
        BadRequest: It is too large, or no JSON object.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BadRequest("too_large", f"expected at most {MAX_AVATAR_BYTES} bytes of picture; send a smaller one")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise BadRequest("request", "expected a JSON object")
    return fields


def question_of(fields: dict[str, Any]) -> Question:
    """Read a user from the fields of a request.

    Raises:
        BadRequest: A field has another type than expected.
        InvalidAvatar: The avatar is text.
    """
    avatar = _text(fields, "avatar")
    try:
        picture = base64.b64decode(avatar, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadRequest("request", "avatar: expected base64") from exc
    # The SDK would decode it, which the models of the explanation do not.
    if picture and picture.isascii():
        raise InvalidAvatar("avatar: got text, expected a picture")
    return Question(picture or None, _text(fields, "nickname"), _text(fields, "user_id") or "me", _text(fields, "arm"))


def rank_question_of(fields: dict[str, Any]) -> RankQuestion:
    """Read a question for cards from the fields of a request.

    Raises:
        BadRequest: A field has another type than expected.
    """
    liked, personalize, seed = fields.get("liked", []), fields.get("personalize", True), fields.get("seed")
    if not isinstance(liked, list) or not all(map(_is_id, liked)):
        raise BadRequest("request", "liked: expected a list of ids, as text")
    if type(personalize) is not bool or not (seed is None or _is_natural(seed)):
        raise BadRequest("request", "expected personalize as true or false, and seed as 0 or more, or null")
    return RankQuestion(question_of(fields), [*map(int, liked)], personalize, seed)


def _is_id(value: object) -> bool:
    """Whether a value is the text of an id. JavaScript rounds numbers above 2^53."""
    return isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20 and int(value) < 2**63


def _is_natural(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise BadRequest("request", f"{name}: expected text, got {type(value).__name__}")
    return value
