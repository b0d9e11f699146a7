"""Transports for tests: a function in place of a server."""

from collections.abc import Awaitable, Callable

from genderclient._transports.base import InferenceRequest, InferenceResponse


class FakeTransport:
    """Responds to each request with `respond(request)`, which may raise TransportError as a server would."""

    def __init__(self, respond: Callable[[InferenceRequest], InferenceResponse]) -> None:
        self._respond = respond

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        return self._respond(request)

    def close(self) -> None:
        """Has nothing to close."""


class AsyncFakeTransport:
    """The `FakeTransport` of an `AsyncClient`."""

    def __init__(self, respond: Callable[[InferenceRequest], Awaitable[InferenceResponse]]) -> None:
        self._respond = respond

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        return await self._respond(request)

    async def close(self) -> None:
        """Has nothing to close."""
