"""Which explanations are shown beside an answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from tritonclient.grpc.aio import InferenceServerClient

from genderclient import AsyncClient, AsyncFakeTransport
from quickstart.demo import answers
from quickstart.demo.answers import Answers
from quickstart.demo.explanations import Explanation
from quickstart.demo.requests import Question
from server.catalog import Catalog
from tests.support.client.fakes import respond_male_async
from tests.support.tritonserver import ROOT

CATALOG = Catalog(ROOT / "model_repository", ROOT / "explain_repository")
QUESTION = Question(avatar=None, nickname="小美", user_id="7", arm="")


async def untimed(_: Any, __: Any, ask: Callable[[], Awaitable[Any]]) -> tuple[Any, dict[str, float]]:
    return await ask(), {}


@pytest.mark.parametrize(("version", "is_shown"), [("1", True), ("2", False)])
def test_heat_of_another_version_than_the_one_that_answered_is_not_shown(
    version: str, is_shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a promotion, `explain_repository` still has the previous version until it is written again."""

    async def explain(*_: Any) -> Explanation:
        return Explanation(version, [[1.0]], 0.5, b"", [], avatar_present=True, nickname_present=True)

    async def ask() -> dict[str, Any]:
        async with AsyncClient(transport=AsyncFakeTransport(respond_male_async)) as client:
            return await Answers(CATALOG, client, cast(InferenceServerClient, None)).answer(QUESTION)

    monkeypatch.setattr(answers, "explain", explain)
    monkeypatch.setattr(answers, "timed", untimed)
    asked = asyncio.run(ask())
    assert {"heat" in answer for answer in asked["answers"]} == {is_shown}
    assert asked["seen"]["avatar"]
