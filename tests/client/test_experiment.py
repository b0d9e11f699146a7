"""Who falls in which arm: by chance, for ever, and moving only if he must."""

import asyncio
import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    Client,
    Experiment,
    Exposure,
    FakeTransport,
    InferenceRequest,
    InferenceResponse,
    ServerError,
    Status,
    User,
)
from tests.support.client.fakes import answer, failing

EVEN = Experiment("backbone-2026", {"gender_densenet": 0.5, "gender_mobilenet": 0.5}, salt="2026")
USERS = [f"user-{number}" for number in range(20_000)]
WEIGHTS = st.dictionaries(st.sampled_from("abcde"), st.floats(0.1, 10), min_size=2)


def test_a_user_stays_where_he_was_when_this_was_written() -> None:
    assert [EVEN.arm_of(user) for user in ("1", "2", "3", "小美")] == [
        "gender_mobilenet",
        "gender_densenet",
        "gender_mobilenet",
        "gender_mobilenet",
    ]


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.9, 0.1), (1.0, 2.0)])
def test_the_split_is_within_chance(weights: tuple[float, float]) -> None:
    experiment = Experiment("split", dict(zip("ab", weights, strict=True)))
    share = weights[0] / sum(weights)
    found = sum(experiment.arm_of(user) == "a" for user in USERS) / len(USERS)
    assert found == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / len(USERS)))


def test_the_holdout_is_within_chance_and_leaves_the_others_where_they_were() -> None:
    held = Experiment("backbone-2026", EVEN.arms, salt="2026", holdout=0.1)
    arms = {user: (EVEN.arm_of(user), held.arm_of(user)) for user in USERS}
    out = [user for user, (_, arm) in arms.items() if arm is None]
    assert len(out) / len(USERS) == pytest.approx(0.1, abs=0.01)
    assert all(before == after for before, after in arms.values() if after is not None)
    assert Counter(EVEN.arm_of(user) for user in out).most_common()[0][1] / len(out) < 0.56


@given(weights=WEIGHTS, factor=st.floats(1, 10), user=st.text(min_size=1), data=st.data())
def test_nobody_moves_but_into_an_arm_that_grew(
    weights: dict[str, float], factor: float, user: str, data: st.DataObject
) -> None:
    grown = data.draw(st.sampled_from(sorted(weights)))
    before = Experiment("moves", weights).arm_of(user)
    after = Experiment("moves", {**weights, grown: factor * weights[grown]}).arm_of(user)
    assert after in (before, grown)


@given(weights=WEIGHTS, user=st.text(min_size=1))
def test_nobody_moves_for_a_new_arm_without_weight_or_another_order(weights: dict[str, float], user: str) -> None:
    before = Experiment("moves", weights).arm_of(user)
    assert Experiment("moves", {"new": 0.0, **dict(reversed(weights.items()))}).arm_of(user) == before


def test_experiments_and_salts_split_independently() -> None:
    other = Experiment("other", EVEN.arms, salt="2026")
    salted = Experiment("backbone-2026", EVEN.arms, salt="2027")
    for twin in (other, salted):
        same = sum(EVEN.arm_of(user) == twin.arm_of(user) for user in USERS) / len(USERS)
        assert same == pytest.approx(0.5, abs=0.02)


def test_overrides_win() -> None:
    experiment = Experiment("own", {"a": 1.0, "b": 0.0}, overrides={"tester": "b"}, holdout=0.99)
    assert experiment.arm_of("tester") == "b"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "", "arms": {"a": 1.0}}, "name: an experiment needs one"),
        ({"name": "x", "arms": {}}, "arms: got {}"),
        ({"name": "x", "arms": {"a": -1.0}}, "weights of 0 or more"),
        ({"name": "x", "arms": {"a": math.nan}}, "weights of 0 or more"),
        ({"name": "x", "arms": {"a": 0.0}}, "all weights are 0"),
        ({"name": "x", "arms": {"a": 1.0}, "holdout": 1.0}, "holdout: got 1.0"),
        ({"name": "x", "arms": {"a": 1.0}, "overrides": {"u": "z"}}, "overrides: z is no arm; expected a"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Experiment(**options)


def test_nobody_without_an_id() -> None:
    with pytest.raises(ValueError, match="user_id: got an empty one"):
        EVEN.arm_of("")


def test_a_client_asks_the_users_arm_and_tells_who_was_exposed() -> None:
    exposures: list[Exposure] = []
    experiment = Experiment("x", {"a": 1.0, "b": 1.0}, holdout=0.3, on_exposure=exposures.append)
    users = [f"user-{number}" for number in range(50)]
    with Client(transport=FakeTransport(answer), experiment=experiment) as client:
        predictions = {user: client.predict(nickname="小美", user_id=user) for user in users}
    arms = {user: experiment.arm_of(user) for user in users}
    assert set(arms.values()) == {"a", "b", None}
    assert {user: prediction.arm for user, prediction in predictions.items()} == arms
    assert {user: prediction.model for user, prediction in predictions.items()} == {
        user: arm or "gender_mobilenet" for user, arm in arms.items()
    }
    assert exposures == [Exposure("x", user, arm) for user, arm in arms.items()]
    assert "user-1" not in repr(exposures[1])


def test_an_async_client_asks_the_users_arm() -> None:
    async def ask() -> None:
        async def respond(request: InferenceRequest) -> InferenceResponse:
            return answer(request)

        async with AsyncClient(transport=AsyncFakeTransport(respond), experiment=EVEN) as client:
            assert (await client.predict(user_id="2")).arm == "gender_densenet"

    asyncio.run(ask())


def test_nobody_is_exposed_who_got_no_answer_or_a_named_model() -> None:
    exposures: list[Exposure] = []
    experiment = Experiment("x", {"a": 1.0}, on_exposure=exposures.append)
    with pytest.raises(ServerError):
        Client(transport=failing(Status.FAILED), experiment=experiment).predict(user_id="1")
    prediction = Client(transport=FakeTransport(answer), experiment=experiment).predict(user_id="1", model="c")
    assert (prediction.model, prediction.arm, exposures) == ("c", None, [])


def test_an_id_and_an_experiment_belong_together() -> None:
    with pytest.raises(ValueError, match="user_id: this client has no experiment"):
        Client(transport=FakeTransport(answer)).predict(user_id="1")
    with pytest.raises(ValueError, match="user_id: this client has an experiment"):
        Client(transport=FakeTransport(answer), experiment=EVEN).predict(nickname="小美")


def test_many_users_by_their_arms() -> None:
    users = [User(nickname="小美", id=str(number)) for number in range(1, 4)]
    client = Client(transport=FakeTransport(answer), experiment=EVEN)
    found = list(client.predict_many([*users, User(nickname="小美")]))
    assert [scored.prediction.arm for scored in found[:3] if scored.prediction] == [EVEN.arm_of(u) for u in "123"]
    assert isinstance(found[3].error, ValueError)
