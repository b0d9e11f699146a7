"""Assignment of users to arms."""

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
    ServerError,
    Status,
    User,
)
from tests.support.client.fakes import failing, respond_male, respond_male_async

EVEN = Experiment("backbone-2026", {"gender_densenet": 0.5, "gender_mobilenet": 0.5}, salt="2026")
USERS = [f"user-{number}" for number in range(20_000)]
WEIGHTS = st.dictionaries(st.sampled_from("abcde"), st.floats(0.1, 10), min_size=2)


def test_assignment_is_permanent() -> None:
    assert [EVEN.arm_of(user) for user in ("1", "2", "3", "小美")] == [
        "gender_mobilenet",
        "gender_densenet",
        "gender_mobilenet",
        "gender_mobilenet",
    ]


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.9, 0.1), (1.0, 2.0)])
def test_split_follows_weights(weights: tuple[float, float]) -> None:
    experiment = Experiment("split", dict(zip("ab", weights, strict=True)))
    share = weights[0] / sum(weights)
    measured = sum(experiment.arm_of(user) == "a" for user in USERS) / len(USERS)
    assert measured == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / len(USERS)))


def test_holdout_moves_no_other_user() -> None:
    held = Experiment("backbone-2026", EVEN.arms, salt="2026", holdout=0.1)
    arms = {user: (EVEN.arm_of(user), held.arm_of(user)) for user in USERS}
    held_out = [user for user, (_, arm) in arms.items() if arm is None]
    assert len(held_out) / len(USERS) == pytest.approx(0.1, abs=0.01)
    assert all(before == after for before, after in arms.values() if after is not None)
    assert Counter(EVEN.arm_of(user) for user in held_out).most_common()[0][1] / len(held_out) < 0.56


@given(weights=WEIGHTS, factor=st.floats(1, 10), user=st.text(min_size=1), data=st.data())
def test_users_move_only_into_arm_that_grew(
    weights: dict[str, float], factor: float, user: str, data: st.DataObject
) -> None:
    grown = data.draw(st.sampled_from(sorted(weights)))
    before = Experiment("moves", weights).arm_of(user)
    after = Experiment("moves", {**weights, grown: factor * weights[grown]}).arm_of(user)
    assert after in (before, grown)


@given(weights=WEIGHTS, user=st.text(min_size=1))
def test_order_and_arms_without_weight_do_not_matter(weights: dict[str, float], user: str) -> None:
    before = Experiment("moves", weights).arm_of(user)
    assert Experiment("moves", {"new": 0.0, **dict(reversed(weights.items()))}).arm_of(user) == before


def test_experiments_and_salts_split_independently() -> None:
    other = Experiment("other", EVEN.arms, salt="2026")
    salted = Experiment("backbone-2026", EVEN.arms, salt="2027")
    for twin in (other, salted):
        same = sum(EVEN.arm_of(user) == twin.arm_of(user) for user in USERS) / len(USERS)
        assert same == pytest.approx(0.5, abs=0.02)


def test_override_beats_holdout_and_weight() -> None:
    experiment = Experiment("own", {"a": 1.0, "b": 0.0}, overrides={"tester": "b"}, holdout=0.99)
    assert experiment.arm_of("tester") == "b"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "", "arms": {"a": 1.0}}, "name: got an empty one"),
        ({"name": "x", "arms": {}}, "arms: got {}"),
        ({"name": "x", "arms": {"a": -1.0}}, "weights of 0 or more"),
        ({"name": "x", "arms": {"a": math.nan}}, "weights of 0 or more"),
        ({"name": "x", "arms": {"a": 0.0}}, "all weights are 0"),
        ({"name": "x", "arms": {"a": 1.0}, "holdout": 1.0}, "holdout: got 1.0"),
        ({"name": "x", "arms": {"a": 1.0}, "overrides": {"u": "z"}}, "overrides: z is no arm; expected a"),
    ],
)
def test_invalid_experiment_is_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Experiment(**options)


@pytest.mark.parametrize("overrides", [{10042: "a"}, {"u": 5}, {"u": ["a"]}])
def test_override_that_is_not_text_is_rejected(overrides: Any) -> None:
    with pytest.raises(TypeError, match=r"overrides: got (int|list), expected user ids and models as text"):
        Experiment("x", {"a": 1.0}, overrides=overrides)


def test_empty_id_is_rejected() -> None:
    with pytest.raises(ValueError, match="user_id: got an empty one"):
        EVEN.arm_of("")


@pytest.mark.parametrize("user_id", [10042, None, b"u"])
def test_id_that_is_not_text_is_rejected(user_id: Any) -> None:
    with pytest.raises(TypeError, match=r"user_id: got (int|NoneType|bytes), expected str"):
        EVEN.arm_of(user_id)


def test_client_uses_arm_and_reports_exposure() -> None:
    exposures: list[Exposure] = []
    experiment = Experiment("x", {"a": 1.0, "b": 1.0}, holdout=0.3, on_exposure=exposures.append)
    users = [f"user-{number}" for number in range(50)]
    with Client(transport=FakeTransport(respond_male), experiment=experiment) as client:
        predictions = {user: client.predict(nickname="小美", user_id=user) for user in users}
    arms = {user: experiment.arm_of(user) for user in users}
    assert set(arms.values()) == {"a", "b", None}
    assert {user: prediction.arm for user, prediction in predictions.items()} == arms
    assert {user: prediction.model for user, prediction in predictions.items()} == {
        user: arm or "gender_mobilenet" for user, arm in arms.items()
    }
    assert exposures == [Exposure("x", user, arm) for user, arm in arms.items()]
    assert "user-1" not in repr(exposures[1])


def test_async_client_uses_arm() -> None:
    async def predict() -> None:
        async with AsyncClient(transport=AsyncFakeTransport(respond_male_async), experiment=EVEN) as client:
            assert (await client.predict(user_id="2")).arm == "gender_densenet"

    asyncio.run(predict())


def test_failure_and_named_model_are_no_exposure() -> None:
    exposures: list[Exposure] = []
    experiment = Experiment("x", {"a": 1.0}, on_exposure=exposures.append)
    with pytest.raises(ServerError):
        Client(transport=failing(Status.FAILED), experiment=experiment).predict(user_id="1")
    prediction = Client(transport=FakeTransport(respond_male), experiment=experiment).predict(user_id="1", model="c")
    assert (prediction.model, prediction.arm, exposures) == ("c", None, [])


def test_id_and_experiment_require_each_other() -> None:
    with pytest.raises(ValueError, match="user_id: this client has no experiment"):
        Client(transport=FakeTransport(respond_male)).predict(user_id="1")
    with pytest.raises(ValueError, match="user_id: expected one"):
        Client(transport=FakeTransport(respond_male), experiment=EVEN).predict(nickname="小美")


def test_predict_many_uses_arms() -> None:
    users = [User(nickname="小美", id=str(number)) for number in range(1, 4)]
    client = Client(transport=FakeTransport(respond_male), experiment=EVEN)
    results = list(client.predict_many([*users, User(nickname="小美")]))
    assert [scored.prediction.arm for scored in results[:3] if scored.prediction] == [EVEN.arm_of(u) for u in "123"]
    assert isinstance(results[3].error, ValueError)
