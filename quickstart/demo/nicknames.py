"""How a nickname is normalized and split into tokens."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from genderprep.normalize import normalize
from genderprep.text import segment
from genderprep.vocabulary import PAD, vocabulary


def explain_nickname(nickname: str, tokens: Sequence[int]) -> dict[str, Any]:
    """Return the normalized nickname, and the token of each of its characters.

    Args:
        nickname: As the user typed it.
        tokens: The ids that the server made of it, padded.
    """
    names = _names()
    ids = [token for token in tokens if names[token] != PAD]
    # Longer nicknames are cut; a missing one is a single token without a character.
    characters = (*segment(nickname), *[""] * len(ids))
    return {
        "normalized": normalize(nickname),
        "tokens": [
            {"text": text, "id": token, "name": names[token]} for text, token in zip(characters, ids, strict=False)
        ],
    }


@cache
def _names() -> list[str]:
    return list(vocabulary())
