"""Predict a user's gender from an avatar and a nickname.

from genderclient import predict

predict(nickname="X国强", avatar="me.jpg").gender
"""

from genderclient._async_client import AsyncClient
from genderclient._client import Client
from genderclient._default import predict
from genderclient._exceptions import (
    AccessDenied,
    DeadlineExceeded,
    GenderClientError,
    InvalidAvatar,
    InvalidInput,
    InvalidNickname,
    ModelNotFound,
    Overloaded,
    ProtocolError,
    ServerError,
    Unavailable,
)
from genderclient._many import Scored, User
from genderclient._models import Gender, Prediction, Probabilities, Weights
from genderclient._retry import Retry
from genderclient._transports.base import (
    AsyncTransport,
    BytesTensor,
    FloatTensor,
    InferenceRequest,
    InferenceResponse,
    Status,
    Transport,
    TransportError,
)
from genderclient._transports.credentials import Tls
from genderclient._transports.fake import AsyncFakeTransport, FakeTransport
from genderclient._transports.options import ConnectionOptions
from genderclient.experiments.experiment import Experiment, Exposure, Shadow
from genderclient.fetching.fetcher import AvatarFetcher
from genderclient.hedging import Hedge

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
    "Experiment",
    "Exposure",
    "FakeTransport",
    "FloatTensor",
    "Gender",
    "GenderClientError",
    "Hedge",
    "InferenceRequest",
    "InferenceResponse",
    "InvalidAvatar",
    "InvalidInput",
    "InvalidNickname",
    "ModelNotFound",
    "Overloaded",
    "Prediction",
    "Probabilities",
    "ProtocolError",
    "Retry",
    "Scored",
    "ServerError",
    "Shadow",
    "Status",
    "Tls",
    "Transport",
    "TransportError",
    "Unavailable",
    "User",
    "Weights",
    "predict",
]
