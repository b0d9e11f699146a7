"""The question that shows whether a model serves an inference.

Its inputs are new each time. Otherwise a server's response cache could answer it without the model.
"""

import uuid
from collections.abc import Callable
from typing import Any, Final

from genderclient._config.request_options import RequestOptions
from genderclient._features import EMBEDDING_SIZE, UserFeatures
from genderclient._models import Probabilities
from genderclient._questions.gender import predict_question
from genderclient._questions.pictures import EMBED, SIMILAR, embed_question, similar_question
from genderclient._questions.question import Question
from genderclient._questions.ranking import RANK_FEATURES_MODEL, rank_question
from genderclient._questions.screening import SCREEN, screen_question

# A PNG of four colors, to which bytes may be appended. A plain gray picture counts as missing.
_PICTURE: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000002000000020802000000fdd49a730000001349444154789c63f8cf000440a281e1ff7f06"
    "001c74047df3667c780000000049454e44ae426082"
)
_USER: Final = UserFeatures(embedding=(0.0,) * EMBEDDING_SIZE, probabilities=Probabilities(0.5, 0.5))
_PROBES: Final[dict[str, Callable[[RequestOptions], Question[Any]]]] = {
    EMBED: lambda options: embed_question(_new_picture(), None, options),
    SIMILAR: lambda options: similar_question(_new_picture(), 1, options),
    SCREEN: lambda options: screen_question(_new_picture(), options),
    RANK_FEATURES_MODEL: lambda options: rank_question(None, None, _USER, options=options, k=1),
}


def probe(model: str, options: RequestOptions) -> Question[Any]:
    """Returns a question that `model` can answer. The models that read a user all answer `predict`.

    The name of a variant starts with the name of its original.
    """
    own = next((name for name in _PROBES if model.startswith(name)), None)
    return _PROBES[own](options) if own else predict_question(None, uuid.uuid4().hex, False, options)


def _new_picture() -> bytes:
    return _PICTURE + uuid.uuid4().bytes
