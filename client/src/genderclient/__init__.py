"""Predict a user's gender from an avatar and a nickname.

from genderclient import predict

predict(nickname="X国强", avatar="me.jpg").gender
"""

from genderclient._client import Client
from genderclient._default import predict
from genderclient._exceptions import (
    DeadlineExceeded,
    GenderClientError,
    InvalidAvatar,
    InvalidInput,
    InvalidNickname,
    ModelNotFound,
    ProtocolError,
    ServerError,
    Unavailable,
)
from genderclient._models import Gender, Prediction, Probabilities, Weights
from genderclient._transports.base import (
    BytesTensor,
    FloatTensor,
    InferenceRequest,
    InferenceResponse,
    Status,
    Transport,
    TransportError,
)
from genderclient._transports.fake import FakeTransport

__all__ = [
    "BytesTensor",
    "Client",
    "DeadlineExceeded",
    "FakeTransport",
    "FloatTensor",
    "Gender",
    "GenderClientError",
    "InferenceRequest",
    "InferenceResponse",
    "InvalidAvatar",
    "InvalidInput",
    "InvalidNickname",
    "ModelNotFound",
    "Prediction",
    "Probabilities",
    "ProtocolError",
    "ServerError",
    "Status",
    "Transport",
    "TransportError",
    "Unavailable",
    "Weights",
    "predict",
]
