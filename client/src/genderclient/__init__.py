"""Predict a user's gender from avatar and nickname, and choose the pictures that the user will like.

from genderclient import predict, rank

predict(nickname="X国强", avatar="me.jpg").gender
rank(nickname="X国强", avatar="me.jpg", liked=[17, 4]).pictures
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from genderclient._async_client import AsyncClient
from genderclient._client import Client
from genderclient._config.connection_options import ConnectionOptions
from genderclient._default import predict, rank
from genderclient._exceptions import (
    AccessDenied,
    DeadlineExceeded,
    GenderClientError,
    HistoryUnavailable,
    InvalidAvatar,
    InvalidInput,
    InvalidNickname,
    InvalidPicture,
    ModelNotFound,
    Overloaded,
    ProtocolError,
    ServerError,
    Unavailable,
)
from genderclient._features import UserFeatures
from genderclient._many import Embedded, Matched, Picture, Ranked, Scored, Screened, User
from genderclient._models import (
    Embedding,
    Gender,
    ModelResult,
    Neighbors,
    Prediction,
    Probabilities,
    Ranking,
    Screening,
    Weights,
)
from genderclient._retry import Retry
from genderclient._transports.base import (
    AsyncTransport,
    InferenceRequest,
    InferenceResponse,
    Status,
    Transport,
    TransportError,
)
from genderclient._transports.credentials import Tls
from genderclient._transports.fake import AsyncFakeTransport, FakeTransport
from genderclient._transports.tensors import BytesTensor, FloatTensor, Tensor

if TYPE_CHECKING:
    from genderclient.experiments import Experiment, Exposure, Shadow
    from genderclient.fetching import AvatarFetcher
    from genderclient.hedging import Hedge
    from genderclient.history import HistoryStore, RedisHistory
    from genderclient.impressions import Impression, ImpressionLog

    __version__: str

__all__ = [
    "AccessDenied",
    "AsyncClient",
    "AsyncFakeTransport",
    "AsyncTransport",
    "AvatarFetcher",
    "BytesTensor",
    "Client",
    "ConnectionOptions",
    "DeadlineExceeded",
    "Embedded",
    "Embedding",
    "Experiment",
    "Exposure",
    "FakeTransport",
    "FloatTensor",
    "Gender",
    "GenderClientError",
    "Hedge",
    "HistoryStore",
    "HistoryUnavailable",
    "Impression",
    "ImpressionLog",
    "InferenceRequest",
    "InferenceResponse",
    "InvalidAvatar",
    "InvalidInput",
    "InvalidNickname",
    "InvalidPicture",
    "Matched",
    "ModelNotFound",
    "ModelResult",
    "Neighbors",
    "Overloaded",
    "Picture",
    "Prediction",
    "Probabilities",
    "ProtocolError",
    "Ranked",
    "Ranking",
    "RedisHistory",
    "Retry",
    "Scored",
    "Screened",
    "Screening",
    "ServerError",
    "Shadow",
    "Status",
    "Tensor",
    "Tls",
    "Transport",
    "TransportError",
    "Unavailable",
    "User",
    "UserFeatures",
    "Weights",
    "__version__",
    "predict",
    "rank",
]

# Imported with their first use.
_EXTRAS: Final = {
    "AvatarFetcher": "genderclient.fetching",
    "Experiment": "genderclient.experiments",
    "Exposure": "genderclient.experiments",
    "Hedge": "genderclient.hedging",
    "HistoryStore": "genderclient.history",
    "Impression": "genderclient.impressions",
    "ImpressionLog": "genderclient.impressions",
    "RedisHistory": "genderclient.history",
    "Shadow": "genderclient.experiments",
}


# Tracebacks show the names that callers import.
for _error in [each for each in globals().values() if isinstance(each, type) and issubclass(each, Exception)]:
    _error.__module__ = __name__


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("genderclient")
    if name not in _EXTRAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_EXTRAS[name]), name)
