"""Fake servers for tests of the client."""

from collections.abc import Callable

from genderclient import FakeTransport, FloatTensor, InferenceRequest, InferenceResponse, Status, TransportError

OUTPUTS = {"PROBABILITIES": (0.75, 0.25), "WEIGHTS": (0.5, 0.5), "EMBEDDING": (0.0,) * 256}

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
