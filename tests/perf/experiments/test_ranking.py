import json
from pathlib import Path

import numpy as np
import pandas as pd

from perf.experiments.ranking import FLOOR, GOAL_SIZE, NOTHING, Ranking, write_repository
from perf.load.ranked_users import json_request, ranked_users, triton_request
from perf.peers.catalogue import TRITON
from perf.report.experiment import Measurement
from picturegallery.files import read_gallery


def test_both_servers_get_the_same_user() -> None:
    (user,) = ranked_users(1, pictures=300, candidates=200, explore=True, seed=1)
    request, body = triton_request(user), json.loads(json_request(user).body)
    length = int(request.headers["Inference-Header-Content-Length"])
    offset, tensors = length, {}
    for entry in json.loads(request.body[:length])["inputs"]:
        end = offset + entry["parameters"]["binary_data_size"]
        dtype = {"FP32": np.float32, "INT64": np.int64}[entry["datatype"]]
        tensors[entry["name"].lower()] = np.frombuffer(request.body[offset:end], dtype).reshape(entry["shape"])[0]
        offset = end
    assert offset == len(request.body)
    assert body["seed"] == tensors.pop("seed")[0]
    assert {name: body[name] for name in tensors} == {name: array.tolist() for name, array in tensors.items()}
    assert (len(body["history"]), len(body["candidates"])) == (50, 200)


def test_whole_gallery_is_asked_for_without_candidates() -> None:
    (user,) = ranked_users(1, pictures=300, candidates=0, explore=False, seed=1)
    assert set(user.tensors) == {"EMBEDDING", "PROBABILITIES", "HISTORY"}


def test_repository_has_a_gallery_of_the_size(tmp_path: Path) -> None:
    gallery = read_gallery(write_repository(tmp_path / "repository", 77, seed=1) / "gallery" / "1")
    assert gallery.ids.tolist() == list(range(1, 78))
    np.testing.assert_allclose(np.linalg.norm(gallery.vectors.astype(np.float32), axis=1), 1, atol=1e-2)


def test_goals_are_over_the_floor() -> None:
    arms = ((NOTHING, FLOOR, 0.5), ("200 candidates", TRITON, 3.4), ("whole gallery", TRITON, 11.0))
    rows = [
        {"round": 0, "pictures": GOAL_SIZE, "asked": asked, "server": server, "clients": 1, "p50_ms": p50_ms}
        for asked, server, p50_ms in arms
    ]
    goals = list(Ranking().goals(Measurement(pd.DataFrame(rows), {})))
    assert [(goal.figure, goal.met) for goal in goals] == [("+2.9 ms", True), ("+10.5 ms", False)]
