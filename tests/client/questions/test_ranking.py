"""`rank`, over a fake transport."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from genderclient import (
    AsyncClient,
    AsyncFakeTransport,
    Client,
    Experiment,
    Exposure,
    FakeTransport,
    FloatTensor,
    Hedge,
    InferenceRequest,
    InferenceResponse,
    InvalidAvatar,
    InvalidInput,
    Prediction,
    Probabilities,
    ProtocolError,
    Ranking,
    Shadow,
    Status,
    TransportError,
    User,
    UserFeatures,
)
from tests.support.client.fakes import Recorder, failing, integers, respond_list, respond_list_async, respond_male
from tests.support.waiting import wait_until

FEATURES = UserFeatures(embedding=[0.5] * 256, probabilities=Probabilities(male=0.25, female=0.75))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(respond_list)


@pytest.fixture
def client(recorder: Recorder) -> Client:
    return Client(transport=FakeTransport(recorder))


def inputs(request: InferenceRequest) -> dict[str, tuple[Any, ...]]:
    return {tensor.name: tensor.values for tensor in request.inputs}


def test_user_and_liked_pictures_are_sent(client: Client, recorder: Recorder) -> None:
    ranking = client.rank(nickname="小美", avatar=b"picture", liked=[4, np.int32(9)], among=(7, 3, 9), k=2, seed=5)  # type: ignore[list-item]
    (request,) = recorder.requests
    assert request.model == "rank_mobilenet"
    assert inputs(request) == {
        "AVATAR": (b"picture",),
        "NICKNAME": ("小美".encode(),),
        "HISTORY": (4, 9),
        "CANDIDATES": (7, 3, 9),
        "SEED": (5,),
    }
    assert all(tensor.datatype == "INT64" for tensor in request.inputs[2:])
    assert (ranking.pictures, ranking.scores, ranking.propensities) == ((7, 3), (0.75, 0.5), (0.5, 0.625))
    assert ranking.prediction
    assert (ranking.prediction.gender, ranking.prediction.embedding) == ("male", None)
    assert (ranking.model, ranking.version, ranking.request_id) == ("rank_mobilenet", "1", request.request_id)


def test_optional_inputs_are_omitted_and_padding_is_removed(client: Client, recorder: Recorder) -> None:
    assert client.rank(nickname="小美").pictures == (7, 3, 9)
    assert inputs(recorder.requests[0]).keys() == {"AVATAR", "NICKNAME"}


def test_newest_50_likes_are_sent(client: Client, recorder: Recorder) -> None:
    client.rank(liked=iter(range(10**9)))
    assert inputs(recorder.requests[0])["HISTORY"] == tuple(range(50))


def test_stored_features_replace_avatar_and_nickname(client: Client, recorder: Recorder) -> None:
    ranking = client.rank(features=FEATURES, liked=[4])
    (request,) = recorder.requests
    assert request.model == "rank_embedding"
    assert inputs(request) == {"EMBEDDING": (0.5,) * 256, "PROBABILITIES": (0.25, 0.75), "HISTORY": (4,)}
    assert ranking.prediction is None


def test_features_of_a_ranking_serve_the_next_day(client: Client, recorder: Recorder) -> None:
    prediction = client.rank(nickname="小美", embedding=True).prediction
    assert prediction
    client.rank(features=prediction)
    assert inputs(recorder.requests[1])["PROBABILITIES"] == (0.75, 0.25)


def test_without_personalization_nothing_of_the_user_is_sent(client: Client, recorder: Recorder) -> None:
    for user in ({"nickname": "小美", "avatar": b"picture"}, {"features": FEATURES}):
        ranking = client.rank(**user, liked=[4], seed=3, personalize=False)
        assert ranking.prediction is None
    expected = {"AVATAR": (b"",), "NICKNAME": (b"",), "SEED": (3,)}
    assert [(request.model, inputs(request)) for request in recorder.requests] == [("rank_mobilenet", expected)] * 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"k": 0}, ValueError, "^k: got 0, expected an integer from 1 to 20"),
        ({"k": 21}, ValueError, "^k: got 21"),
        ({"k": True}, TypeError, "^k: got bool"),
        ({"seed": -1}, ValueError, "^seed: got -1"),
        ({"seed": 2**63}, ValueError, "^seed: got"),
        ({"seed": "7"}, TypeError, "^seed: got str"),
        ({"liked": "17"}, TypeError, "^liked: got str, expected the ids of pictures"),
        ({"liked": 17}, TypeError, "^liked: got int, expected the ids of pictures"),
        ({"liked": bytearray(b"secret")}, TypeError, "^liked: got bytearray, expected the ids of pictures"),
        ({"liked": [4, "secret"]}, TypeError, "^liked, position 1: got str, expected the id of a picture"),
        ({"liked": [4, 1.5]}, TypeError, "^liked, position 1: got float"),
        ({"among": [-1]}, ValueError, "^among, position 0: expected the id of a picture"),
        ({"among": []}, ValueError, "^among: got none, expected 1 to 1000 pictures"),
        ({"among": range(1001)}, ValueError, "^among: got over 1000"),
        ({"personalize": 1}, TypeError, "^personalize: got int"),
        ({"embedding": "yes"}, TypeError, "^embedding: got str"),
        ({"features": "secret"}, TypeError, "^features: got str, expected a Prediction, UserFeatures or None"),
        ({"features": FEATURES, "nickname": "小美"}, ValueError, "^features: got an avatar or a nickname too"),
        ({"model": ""}, ValueError, "^model: got an empty name"),
        ({"user_id": "7"}, ValueError, "^user_id: this client has no experiment"),
        ({"avatar": b""}, None, ""),
    ],
)
def test_invalid_argument_is_named(
    client: Client, recorder: Recorder, arguments: dict[str, Any], error: type[Exception] | None, message: str
) -> None:
    if error is None:
        assert client.rank(**arguments)
        return
    with pytest.raises(error, match=message) as caught:
        client.rank(**arguments)
    assert "secret" not in str(caught.value)
    assert not recorder.requests


@pytest.mark.parametrize(
    ("embedding", "probabilities", "error", "message"),
    [
        ([0.5] * 255, (0.5, 0.5), ValueError, "^embedding: got 255 numbers, expected 256 finite FP32 numbers"),
        ([0.5] * 255 + [float("inf")], (0.5, 0.5), ValueError, "^embedding: .*finite"),
        ([0.5] * 255 + [float("nan")], (0.5, 0.5), ValueError, "^embedding: .*finite"),
        ([0.5] * 255 + [-1e39], (0.5, 0.5), ValueError, "^embedding: .*finite"),
        ("secret", (0.5, 0.5), TypeError, "^embedding: expected 256 numbers"),
        ([0.5] * 256, (0.5, 0.6), ValueError, "^probabilities: expected two numbers"),
        ([0.5] * 256, (-0.5, 1.5), ValueError, "^probabilities: expected two numbers"),
        ([0.5] * 256, (1.0005, 0.0), ValueError, "^probabilities: expected two numbers"),
    ],
)
def test_invalid_features_are_named(embedding: Any, probabilities: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        UserFeatures(embedding=embedding, probabilities=Probabilities(*probabilities))


def test_prediction_without_embedding_is_no_features(client: Client) -> None:
    prediction = Client(transport=FakeTransport(respond_male)).predict(nickname="小美")
    with pytest.raises(ValueError, match=r"^features: the prediction has no embedding; predict with embedding=True"):
        client.rank(features=prediction)


@pytest.mark.parametrize("name", ["HISTORY", "CANDIDATES", "SEED"])
def test_rejection_by_the_server_is_an_invalid_input(name: str) -> None:
    client = Client(transport=failing(Status.INVALID_ARGUMENT, f"in ensemble 'rank_mobilenet', {name}: reason"))
    with pytest.raises(InvalidInput, match=f"^rank_mobilenet: rejected by the server: {name}: reason"):
        client.rank(liked=[1])


def test_lists_of_different_lengths_violate_the_contract() -> None:
    def respond(request: InferenceRequest) -> InferenceResponse:
        outputs = (integers("PICTURES", 1, 2), FloatTensor("SCORES", (1, 3), (0.5,) * 3))
        return InferenceResponse(model=request.model, version="1", outputs=outputs)

    with pytest.raises(ProtocolError, match="output SCORES"):
        Client(transport=FakeTransport(respond)).rank(features=FEATURES)


def test_invalid_avatar_costs_only_the_avatar() -> None:
    def respond(request: InferenceRequest) -> InferenceResponse:
        if request.inputs[0].value:
            raise TransportError(Status.INVALID_ARGUMENT, "AVATAR: not an image")
        return respond_list(request)

    client = Client(transport=FakeTransport(respond), ignore_invalid_avatar=True)
    ranking = client.rank(avatar=b"x", nickname="小美", liked=[4])
    assert ranking.prediction
    assert ranking.prediction.avatar_error == "rank_mobilenet: rejected by the server: AVATAR: not an image"
    assert (ranking.attempts, ranking.pictures) == (2, (7, 3, 9))
    with pytest.raises(InvalidAvatar):
        client.rank(avatar=b"x")


def test_experiment_of_rank_splits_rankings_only(recorder: Recorder) -> None:
    exposures: list[Exposure] = []
    experiment = Experiment("ranker", {"a": 1.0}, question="rank", on_exposure=exposures.append)
    with Client(transport=FakeTransport(recorder), experiment=experiment) as client:
        ranking = client.rank(nickname="小美", user_id="7")
        assert client.predict(nickname="小美").arm is None
        assert client.is_ready()
        with pytest.raises(ValueError, match="user_id: this client has no experiment"):
            client.predict(nickname="小美", user_id="7")
        with pytest.raises(ValueError, match="user_id: expected one"):
            client.rank(nickname="小美")
    assert (ranking.model, ranking.arm) == ("a", "a")
    assert [request.model for request in recorder.requests] == ["a", "gender_mobilenet", "a"]
    assert exposures == [Exposure("ranker", "7", "a")]
    with pytest.raises(ValueError, match="question: expected 'predict' or 'rank'"):
        Experiment("x", {"a": 1.0}, question="embed")  # type: ignore[arg-type]


def test_holdout_of_rank_gets_the_default_ranker(recorder: Recorder) -> None:
    experiment = Experiment("ranker", {"a": 1.0}, question="rank", holdout=0.999)
    with Client(transport=FakeTransport(recorder), experiment=experiment) as client:
        assert client.rank(nickname="小美", user_id="somebody").arm is None
        assert client.is_ready()
    assert [request.model for request in recorder.requests] == ["rank_mobilenet", "a", "rank_mobilenet"]


def test_other_ranker_gets_a_shadow_request(recorder: Recorder) -> None:
    shadows: list[Shadow] = []
    experiment = Experiment(
        "ranker", {"a": 1.0, "b": 1.0}, question="rank", overrides={"u": "a"}, on_shadow=shadows.append
    )
    with Client(transport=FakeTransport(recorder), experiment=experiment, hedge=Hedge(after_s=5)) as client:
        served = client.rank(nickname="小美", liked=[4], user_id="u")
        wait_until(lambda: shadows)
    assert [request.model for request in recorder.requests] == ["a", "b"]
    assert recorder.requests[0].inputs == recorder.requests[1].inputs
    assert shadows[0].served == served
    assert isinstance(shadows[0].other, Ranking)


def test_many_users_are_ranked_and_bad_ones_fail_alone(client: Client, recorder: Recorder) -> None:
    users = [User(nickname="小美", liked=[4]), User(features=FEATURES), User(liked="17"), User(nickname="x", liked=[5])]  # type: ignore[arg-type]
    ranked = list(client.rank_many(users, among=iter([7, 3]), k=1, concurrency=1))
    assert [each.ranking and each.ranking.pictures for each in ranked] == [(7,), (7,), None, (7,)]
    assert isinstance(ranked[2].error, TypeError)
    assert [inputs(request)["CANDIDATES"] for request in recorder.requests] == [(7, 3)] * 3


def test_each_of_many_users_explores_with_an_own_permanent_seed(client: Client, recorder: Recorder) -> None:
    for users in ("uv", "vu"):
        ranked = list(client.rank_many([User(id=user) for user in users], seed=7, concurrency=1))
        assert all(each.ranking for each in ranked)
    u, v, v_again, u_again = (inputs(request)["SEED"] for request in recorder.requests)
    assert (u, v) == (u_again, v_again)
    assert u != v
    assert all(0 <= seed < 2**63 for (seed,) in (u, v))


@pytest.mark.parametrize(
    ("among", "error", "message"),
    [
        (5, TypeError, "^among: got int, expected the ids of pictures"),
        ("12", TypeError, "^among: got str"),
        ([], ValueError, "^among: got none"),
    ],
)
def test_invalid_candidates_of_many_users_fail_at_once(
    client: Client, among: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        client.rank_many([User()], among=among)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 0}, ValueError, "^k: got 0, expected an integer from 1 to 20"),
        ({"seed": "7"}, TypeError, "^seed: got str"),
        ({"personalize": 1}, TypeError, "^personalize: got int"),
        ({"embedding": None}, TypeError, "^embedding: got None"),
        ({"model": ""}, ValueError, "^model: got an empty name"),
        ({"timeout_s": 0}, ValueError, "^timeout_s: got 0"),
    ],
)
def test_invalid_options_of_many_users_fail_at_once(
    client: Client, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        client.rank_many([User()], **options)
    with pytest.raises(error, match=message):
        AsyncClient(transport=AsyncFakeTransport(respond_list_async)).rank_many([User()], **options)


def test_tasks_rank() -> None:
    async def ask() -> tuple[Any, ...]:
        async with AsyncClient(transport=AsyncFakeTransport(respond_list_async)) as client:
            users = [User(id="u"), User(liked=[-1])]
            many = [each.ranking is not None async for each in client.rank_many(users, seed=7)]
            return (
                (await client.rank(nickname="小美", k=2)).pictures,
                many,
                await client.is_ready(model="rank_embedding"),
            )

    assert asyncio.run(ask()) == ((7, 3), [True, False], True)


def test_ranking_is_ready_for_json(client: Client) -> None:
    plain = client.rank(nickname="小美").to_dict()
    assert json.loads(json.dumps(plain))["pictures"] == [7, 3, 9]
    assert plain["prediction"]["gender"] == "male"
    assert isinstance(client.rank(nickname="小美").prediction, Prediction)


def test_rank_embedding_is_probed_by_features(client: Client, recorder: Recorder) -> None:
    client.wait_until_ready(1, model="rank_embedding")
    assert inputs(recorder.requests[0]).keys() == {"EMBEDDING", "PROBABILITIES"}
