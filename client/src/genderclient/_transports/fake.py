"""A server in a function, for tests."""

from collections.abc import Callable

from genderclient._transports.base import InferenceRequest, InferenceResponse


class FakeTransport:
    """Answers each request with `respond(request)`, which may raise TransportError as a server would."""

    def __init__(self, respond: Callable[[InferenceRequest], InferenceResponse]) -> None:
        self._respond = respond

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        return self._respond(request)

    def close(self) -> None:
        """Nothing is open."""
