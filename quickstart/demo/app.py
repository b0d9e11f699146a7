"""The demo page: a small web application on the SDK's `AsyncClient`. Nothing is stored or logged."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from genderclient import (
    AsyncClient,
    DeadlineExceeded,
    GenderClientError,
    InvalidAvatar,
    InvalidNickname,
    Overloaded,
    Unavailable,
)
from genderprep.limits import AVATAR_FORMATS, MAX_AVATAR_BYTES, MAX_AVATAR_PIXELS, MAX_NICKNAME_BYTES
from server.catalog import Catalog
from training.synthetic.sample_users import SampleUser, sample_users

from .answers import Answers
from .guard import Guard
from .rankings import Rankings
from .requests import BadRequest, question_of, rank_question_of, read_json

STATIC: Final = Path(__file__).with_name("static")
HEALTH_TIMEOUT_S: Final = 2.0
# The first that fits gives status and code; the page has a sentence for each code.
ERRORS: Final[dict[type[Exception], tuple[int, str]]] = {
    InvalidAvatar: (422, "avatar"),
    InvalidNickname: (422, "nickname"),
    Overloaded: (503, "overloaded"),
    Unavailable: (503, "unavailable"),
    DeadlineExceeded: (504, "deadline"),
    GenderClientError: (502, "server"),
    InferenceServerException: (502, "server"),
}


class Demo:
    """The handlers of the page's requests."""

    def __init__(self, catalog: Catalog, client: AsyncClient, triton: InferenceServerClient) -> None:
        self._catalog, self._triton = catalog, triton
        self._answers = Answers(catalog, client, triton)
        self._rankings = Rankings(catalog, client)

    async def health(self, _: Request) -> Response:
        """Whether Triton and each ensemble answer, and the limits of what a user may send."""
        models = await asyncio.gather(*(self._health_of(each.name) for each in self._catalog.ensembles()))
        return JSONResponse(
            {
                "models": models,
                "arms": self._answers.arms,
                "ranks": bool(self._rankings),
                "limits": {
                    "avatar_bytes": MAX_AVATAR_BYTES,
                    "avatar_pixels": MAX_AVATAR_PIXELS,
                    "avatar_formats": AVATAR_FORMATS,
                    "nickname_bytes": MAX_NICKNAME_BYTES,
                },
            }
        )

    async def examples(self, _: Request) -> Response:
        """The nicknames of the examples, and whether each has a picture."""
        users = await asyncio.to_thread(_examples)
        return JSONResponse([{"nickname": user.nickname or "", "avatar": user.avatar is not None} for user in users])

    async def example(self, request: Request) -> Response:
        """The picture of one example."""
        users = await asyncio.to_thread(_examples)
        index = request.path_params["index"]
        avatar = users[index].avatar if index < len(users) else None
        if avatar is None:
            raise HTTPException(404)
        return Response(avatar, media_type="image/jpeg")

    async def answer(self, request: Request) -> Response:
        """The answers of both backbones about one user."""
        question = question_of(await read_json(request))
        return JSONResponse(await self._answers.answer(question))

    async def rank(self, request: Request) -> Response:
        """The cards chosen for one user."""
        question = rank_question_of(await read_json(request))
        return JSONResponse(await self._rankings.rank(question, self._answers.arm_of(question.user)))

    async def card(self, request: Request) -> Response:
        """The picture of one card."""
        version, card = (request.path_params[name] for name in ("version", "id"))
        picture = await asyncio.to_thread(self._rankings.jpeg, version, card)
        if picture is None:
            raise HTTPException(404)
        return Response(picture, media_type="image/jpeg")

    async def _health_of(self, model: str) -> dict[str, Any]:
        try:
            ready = await self._triton.is_model_ready(model, client_timeout=HEALTH_TIMEOUT_S)
        except InferenceServerException:
            ready = False
        return {"name": model, "role": self._catalog.model(model).parameter("role"), "ready": bool(ready)}


def build_app(catalog: Catalog, grpc_url: str, hosts: Collection[str]) -> Starlette:
    """Build the application.

    Args:
        catalog: The models that the server has.
        grpc_url: The server's gRPC endpoint, `host:port`.
        hosts: The page's own addresses, such as `127.0.0.1:8080`.
    """

    @asynccontextmanager
    async def clients(app: Starlette) -> AsyncIterator[None]:
        async with AsyncClient(f"grpc://{grpc_url}") as client, InferenceServerClient(grpc_url) as triton:
            app.state.demo = Demo(catalog, client, triton)
            yield

    def handler(name: str) -> Any:
        async def handle(request: Request) -> Response:
            response: Response = await getattr(request.app.state.demo, name)(request)
            return response

        return handle

    return Starlette(
        routes=[
            Route("/", lambda _: FileResponse(STATIC / "index.html")),
            Route("/api/health", handler("health")),
            Route("/api/examples", handler("examples")),
            Route("/api/answer", handler("answer"), methods=["POST"]),
            Route("/api/rank", handler("rank"), methods=["POST"]),
            Route("/cards/{version:int}/{id:int}.jpg", handler("card")),
            Route("/examples/{index:int}.jpg", handler("example")),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={BadRequest: _bad_request, **dict.fromkeys(ERRORS, _failed)},
        lifespan=clients,
    )


async def _bad_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, BadRequest)
    return JSONResponse({"code": error.code, "detail": str(error)}, 413 if error.code == "too_large" else 400)


async def _failed(_: Request, error: Exception) -> Response:
    status, code = next(answer for kind, answer in ERRORS.items() if isinstance(error, kind))
    if isinstance(error, InferenceServerException) and "DEADLINE_EXCEEDED" in str(error.status()):
        status, code = ERRORS[DeadlineExceeded]
    return JSONResponse({"code": code, "detail": str(error)}, status)


@cache
def _examples() -> list[SampleUser]:
    return sample_users()
