"""The parts of the closed loop that need no training: the world over a gallery, exposures, and their logs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conversion.export import read_metadata
from genderclient import Client
from quickstart.loop.exposures import SHOWN, Shown, day_log, serve, user_of
from quickstart.loop.town import CANDIDATES, Town, build_town
from quickstart.loop.value import best_value, score, true_value
from server.catalog import Catalog
from tests.support.tritonserver import ROOT, Server
from training.ranking.impressions import EXPOSURES, LIKES, join, read_log
from training.ranking.off_policy import plackett_luce
from training.synthetic.preference_sessions import Sessions

REPOSITORY = ROOT / "model_repository"
ENSEMBLE = "rank_embedding"
STEPS = Catalog(REPOSITORY).model(ENSEMBLE).steps
VISITS, SEED = 30, 3


@pytest.fixture(scope="module")
def town() -> Town:
    return build_town(REPOSITORY / "gallery" / str(STEPS["gallery"]), seed=1)


@pytest.fixture(scope="module")
def visits(town: Town) -> Sessions:
    return town.visits(VISITS, seed=2)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def shown(town: Town, visits: Sessions, triton: Server, logs: Path) -> Shown:
    with Client(f"grpc://{triton.grpc_url}", on_impression=day_log(logs / "exposures", 0)) as client:
        return serve(client, town, visits, 0, logs / "likes.jsonl", seed=SEED)


def test_logged_propensities_are_those_of_the_scores(
    town: Town, visits: Sessions, shown: Shown, triton: Server
) -> None:
    ranker = REPOSITORY / "ranker" / str(STEPS["ranker"]) / "model.onnx"
    temperature = float(read_metadata(ranker)["temperature"])
    with Client(f"grpc://{triton.grpc_url}") as client:
        # The seed also draws the priors of the pictures, so it must be the same.
        scores = score(client, town, visits, temperature, ENSEMBLE, seed=SEED)
    expected = plackett_luce(scores.utilities, shown.places)
    assert expected.min() < 0.2
    np.testing.assert_allclose(shown.propensities, expected, rtol=1e-3)


def test_logs_join_to_what_was_shown_and_liked(town: Town, visits: Sessions, shown: Shown, logs: Path) -> None:
    exposures, likes = read_log(logs / "exposures", EXPOSURES), read_log(logs / "likes.jsonl", LIKES)
    users = pd.DataFrame({"user": exposures["user"], "probabilities": [np.full(2, 0.5)] * VISITS})
    joined = join(exposures, likes, users).impressions.set_index("user")
    for row in range(VISITS):
        impression = joined.loc[user_of(0, row)]
        history = visits.history[row]
        assert impression["pictures"] == town.stock.ids[visits.shown[row, shown.places[row]]].tolist()
        assert list(impression["liked"]) == list(shown.liked[row] == 1)
        assert impression["history"] == town.stock.ids[history[history >= 0]].tolist()


def test_best_lists_are_worth_more_than_any_order(town: Town, visits: Sessions) -> None:
    p_like = town.p_like(visits, visits.shown)
    best = best_value(town, visits)
    assert true_value(town, visits, 1000 * p_like, seed=0) == pytest.approx(best, rel=1e-3)
    random = true_value(town, visits, np.zeros((VISITS, CANDIDATES)), seed=0)
    assert random == pytest.approx(SHOWN * p_like.mean(), rel=0.02)
    assert random < best
