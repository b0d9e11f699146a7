"""Transports for tests of the client."""

from collections.abc import Callable

from genderclient import FakeTransport, FloatTensor, InferenceRequest, InferenceResponse, Status, TransportError

ANSWER = {"PROBABILITIES": (0.75, 0.25), "WEIGHTS": (0.5, 0.5), "EMBEDDING": (0.0,) * 256}


def answer(request: InferenceRequest) -> InferenceResponse:
    """Says male to everything."""
    return InferenceResponse(
        model=request.model,
        version="1",
        outputs=tuple(FloatTensor(name, (1, len(values)), values) for name, values in ANSWER.items()),
    )


def failing(status: Status, message: str = "no luck") -> FakeTransport:
    """Fails every request."""

    def fail(request: InferenceRequest) -> InferenceResponse:
        raise TransportError(status, message)

    return FakeTransport(fail)


class Recorder:
    """Remembers the requests it passes on to `respond`."""

    def __init__(self, respond: Callable[[InferenceRequest], InferenceResponse] = answer) -> None:
        self.requests: list[InferenceRequest] = []
        self._respond = respond

    def __call__(self, request: InferenceRequest) -> InferenceResponse:
        self.requests.append(request)
        return self._respond(request)
