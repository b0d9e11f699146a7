"""`rank` on the project's Triton, over both protocols."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genderclient import (
    AsyncClient,
    Client,
    Experiment,
    InvalidAvatar,
    InvalidNickname,
    Probabilities,
    Ranking,
    User,
    UserFeatures,
)
from genderclient._cli.app import app
from tests.support.client.tables import read_table, write_table
from tests.support.pictures import encode, noise
from tests.support.tritonserver import Server

AVATAR = encode(noise(), "JPEG")
GALLERY = range(1, 401)


def same_list(one: Ranking, other: Ranking) -> bool:
    """Whether two lists agree up to pictures of equal score, which may change places."""
    return one.scores == pytest.approx(other.scores, abs=1e-4)


def test_list_is_the_best_of_the_gallery(client: Client) -> None:
    ranking = client.rank(nickname="小美", avatar=AVATAR, liked=[17, 4], k=20)
    assert len(set(ranking.pictures)) == 20
    assert set(ranking.pictures) <= set(GALLERY)
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True)
    assert 0 <= ranking.scores[-1] <= ranking.scores[0] <= 1
    assert ranking.propensities == (1.0,) * 20
    assert ranking.prediction
    assert ranking.prediction.probabilities.female == pytest.approx(
        client.predict(nickname="小美", avatar=AVATAR).probabilities.female, abs=1e-3
    )
    assert ranking.model == "rank_mobilenet"


def test_stored_features_give_the_list_of_their_avatar(client: Client) -> None:
    prediction = client.predict(nickname="小美", avatar=AVATAR, embedding=True)
    stored = client.rank(features=prediction, liked=[17, 4])
    assert stored.model == "rank_embedding"
    assert stored.prediction is None
    assert same_list(stored, client.rank(nickname="小美", avatar=AVATAR, liked=[17, 4]))


def test_list_is_chosen_among_the_candidates_only(client: Client) -> None:
    ranking = client.rank(nickname="小美", among=[9, 3, 7])
    assert set(ranking.pictures) == {9, 3, 7}
    assert len(client.rank(nickname="小美", among=[9, 3, 7], k=2).pictures) == 2


def test_same_seed_explores_the_same_list(client: Client) -> None:
    lists = [client.rank(nickname="小美", seed=seed, k=5) for seed in (7, 7, *range(20, 30))]
    assert lists[0].pictures == lists[1].pictures
    assert len({ranking.pictures for ranking in lists}) > 5
    assert all(0 < propensity < 1 for ranking in lists for propensity in ranking.propensities)


def test_without_personalization_users_get_the_same_list(client: Client) -> None:
    lists = [
        client.rank(**user, personalize=False)  # type: ignore[arg-type]
        for user in ({"nickname": "小美", "liked": [17]}, {"nickname": "国强", "avatar": AVATAR, "liked": [4, 9]}, {})
    ]
    assert lists[0].scores == lists[1].scores == lists[2].scores


def test_bad_inputs_fail_alone(client: Client) -> None:
    users = [User(avatar=b"not an image"), User(nickname="小美", liked=[10**12]), User(nickname="名" * 5000)]
    ranked = list(client.rank_many(users, k=3))
    assert isinstance(ranked[0].error, InvalidAvatar)
    # A picture that the gallery does not know is ignored.
    assert ranked[1].ranking
    assert isinstance(ranked[2].error, InvalidNickname)


@pytest.mark.parametrize("model", ["rank_densenet", "rank_mobilenet", "rank_embedding"])
def test_every_ranker_is_ready(client: Client, model: str) -> None:
    assert client.is_ready(model=model)


def test_experiment_splits_rankers(url: str) -> None:
    split = Experiment("x", {"rank_densenet": 1.0, "rank_mobilenet": 1.0}, question="rank")
    with Client(url, experiment=split) as client:
        assert client.is_ready()
        users = [User(nickname="小美", id=f"u{number}") for number in range(6)]
        arms = [each.ranking.arm for each in client.rank_many(users, seed=1) if each.ranking]
    assert arms == [split.arm_of(str(user.id)) for user in users]


def test_tasks_rank(url: str) -> None:
    features = UserFeatures(embedding=[0.0] * 256, probabilities=Probabilities(male=0.5, female=0.5))

    async def rank() -> Ranking:
        async with AsyncClient(url) as client:
            return await client.rank(features=features, liked=[17])

    with Client(url) as client:
        assert same_list(asyncio.run(rank()), client.rank(features=features, liked=[17]))


def test_table_of_stored_users_is_ranked(triton: Server, tmp_path: Path) -> None:
    users = [{"uid": f"u{number}", "nickname": f"小美{number}", "liked": "[17, 4]"} for number in range(5)]
    table, scored, lists = write_table(tmp_path / "u.csv", users), tmp_path / "s.parquet", tmp_path / "l.parquet"
    server = ("--url", f"grpc://{triton.grpc_url}", "--quiet")
    for command in (
        ("score", table, "-o", scored, "--embedding", "--id-column", "uid"),
        ("rank", scored, "-o", lists, "--id-column", "id", "--k", 3, "--seed", 1),
    ):
        result = CliRunner().invoke(app, [*map(str, command), *server])
        assert result.exit_code == 0, result.output
    rows = read_table(lists)
    assert [(row["id"], len(row["pictures"]), row["model"]) for row in rows] == [
        (f"u{number}", 3, "rank_embedding") for number in range(5)
    ]
    assert len({tuple(row["pictures"]) for row in rows}) > 1
