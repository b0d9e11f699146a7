"""Fake servers for tests of the client."""

from collections.abc import Callable

import numpy as np

from genderclient import (
    FakeTransport,
    FloatTensor,
    InferenceRequest,
    InferenceResponse,
    Status,
    Tensor,
    TransportError,
)

OUTPUTS = {"PROBABILITIES": (0.75, 0.25), "WEIGHTS": (0.5, 0.5), "EMBEDDING": (0.0,) * 256}

VECTORS = ("VECTOR", "TITLE_VECTOR")

Respond = Callable[[InferenceRequest], InferenceResponse]


def respond_male(request: InferenceRequest) -> InferenceResponse:
    """Predicts male for every request."""
    return InferenceResponse(
        model=request.model,
        version="1",
        outputs=tuple(FloatTensor(name, (1, len(values)), values) for name, values in OUTPUTS.items()),
    )


async def respond_male_async(request: InferenceRequest) -> InferenceResponse:
    return respond_male(request)


def integers(name: str, *values: int) -> Tensor:
    return Tensor(name, np.array([values], np.int64))


def respond_list(request: InferenceRequest) -> InferenceResponse:
    """Predicts male, and ranks or finds the pictures 7, 3 and 9, padded to 5."""
    lists = (
        integers("PICTURES", 7, 3, 9, -1, -1),
        FloatTensor("SCORES", (1, 5), (0.75, 0.5, 0.25, 0, 0)),
        FloatTensor("PROPENSITIES", (1, 5), (0.5, 0.625, 0.75, 0, 0)),
    )
    male = respond_male(request)
    return InferenceResponse(model=request.model, version="1", outputs=(*male.outputs, *lists))


async def respond_list_async(request: InferenceRequest) -> InferenceResponse:
    return respond_list(request)


def respond_vectors(request: InferenceRequest) -> InferenceResponse:
    """Embeds every picture and title as unit vectors."""
    vectors = {name: [float(axis == index) for axis in range(32)] for index, name in enumerate(VECTORS)}
    outputs = tuple(FloatTensor(name, (1, 32), values) for name, values in vectors.items())
    return InferenceResponse(model=request.model, version="1", outputs=outputs)


def failing(status: Status, message: str = "no luck") -> FakeTransport:
    """Fails every request."""

    def fail(request: InferenceRequest) -> InferenceResponse:
        raise TransportError(status, message)

    return FakeTransport(fail)


class Recorder:
    """Records the requests that it passes to `respond`."""

    def __init__(self, respond: Respond = respond_male) -> None:
        self.requests: list[InferenceRequest] = []
        self._respond = respond

    def __call__(self, request: InferenceRequest) -> InferenceResponse:
        self.requests.append(request)
        return self._respond(request)
