"""Exposure and like logs join to impressions: by request, by time, with histories."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.losses.masked_cross_entropy import PADDING
from training.ranking.config import Config
from training.ranking.examples import batches, examples_of
from training.ranking.impressions import EXPOSURES, LIKES, USERS, LogError, join, read_log

HOUR = 3600
DAY = 24 * HOUR


def exposure(request_id: str, user: str, time: float, pictures: list[int]) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "user": user,
        "time": time,
        "pictures": pictures,
        "propensities": [0.5] * len(pictures),
        "scores": [0.3] * len(pictures),
        "model": "rank_mobilenet",
    }


def like(user: str, picture: int, time: float, request_id: str | None = None) -> dict[str, Any]:
    return {"user": user, "picture": picture, "time": time, "request_id": request_id}


EXPOSED = [
    exposure("a", "7", 10 * HOUR, [1, 2, 3]),
    exposure("b", "7", 12 * HOUR, [3, 4]),
    exposure("c", "8", 12 * HOUR, [1, 4]),
]
LIKED = [
    like("7", 9, 1 * HOUR),
    like("7", 2, 11 * HOUR),
    like("7", 3, 13 * HOUR),
    like("8", 4, 99 * HOUR),
    like("8", 1, 99 * HOUR, "c"),
]
STORED = [{"user": "7", "probabilities": [0.2, 0.8]}]


def log(tmp_path: Path, name: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    file = tmp_path / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_log(file, columns)


@pytest.fixture
def joined(tmp_path: Path) -> Any:
    return join(
        log(tmp_path, "exposures", EXPOSED, EXPOSURES),
        log(tmp_path, "likes", LIKED, LIKES),
        log(tmp_path, "users", STORED, USERS),
    )


def test_likes_belong_to_the_last_list_that_showed_the_picture(joined: Any) -> None:
    liked = dict(zip(joined.impressions["request_id"], joined.impressions["liked"], strict=True))
    # User 7 liked 2 after list a, and 3 after list b, which showed it last. User 8 named the request.
    assert {name: values.tolist() for name, values in liked.items()} == {
        "a": [False, True, False],
        "b": [True, False],
        "c": [True, False],
    }


def test_likes_without_a_list_are_counted(joined: Any) -> None:
    # Picture 9 was never shown to user 7; user 8 liked 4 days after the list.
    assert joined.unmatched == 2


def test_history_is_what_was_liked_before_newest_first(joined: Any) -> None:
    assert joined.impressions["history"].tolist() == [[9], [2, 9], []]


def test_unknown_users_have_even_probabilities(joined: Any) -> None:
    assert [list(each) for each in joined.impressions["probabilities"]] == [[0.2, 0.8], [0.2, 0.8], [0.5, 0.5]]
    assert joined.unknown_users == 1


def test_repeated_lists_are_dropped(tmp_path: Path) -> None:
    exposures = log(tmp_path, "exposures", [*EXPOSED, EXPOSED[0]], EXPOSURES)
    result = join(exposures, log(tmp_path, "likes", LIKED, LIKES), log(tmp_path, "users", STORED, USERS))
    assert (len(result.impressions), result.repeated) == (3, 1)


def test_list_without_pictures_has_no_likes(tmp_path: Path) -> None:
    empty = exposure("d", "7", 11 * HOUR, [])
    impressions = join(
        log(tmp_path, "exposures", [*EXPOSED, empty], EXPOSURES),
        log(tmp_path, "likes", LIKED, LIKES),
        log(tmp_path, "users", STORED, USERS),
    ).impressions.set_index("request_id")
    assert impressions["liked"]["d"].tolist() == []
    assert impressions["liked"]["b"].tolist() == [True, False]


def test_logs_of_several_days_are_one(tmp_path: Path) -> None:
    folder = tmp_path / "exposures"
    folder.mkdir()
    (folder / "2026-11-25.jsonl").write_text(json.dumps(EXPOSED[0]) + "\n")
    pd.DataFrame(EXPOSED[1:]).to_parquet(folder / "2026-11-26.parquet")
    assert sorted(read_log(folder, EXPOSURES)["request_id"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"user": "7"}\n', "request_id, time, pictures, propensities missing"),
        ("not json\n", "line 1: expected a JSON object"),
        (json.dumps(EXPOSED[0] | {"time": 1.7e12}) + "\n", "not text or milliseconds"),
        (json.dumps(EXPOSED[0] | {"user": None}) + "\n", "user lacks some"),
    ],
    ids=["column", "json", "milliseconds", "user"],
)
def test_unusable_logs_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(LogError, match=message):
        read_log(tmp_path / "log.jsonl", EXPOSURES)


def test_missing_logs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"expected a \.jsonl or \.parquet file"):
        read_log(tmp_path / "none", EXPOSURES)


def test_examples_are_rows_of_the_table(joined: Any) -> None:
    # Picture 9 is not in the table; picture 4 is its row 1.
    examples = examples_of(joined.impressions, np.array([4, 3, 2, 1]))
    np.testing.assert_array_equal(examples.candidates, np.array([[4, 3, 2], [2, 1, 0], [4, 1, 0]]))
    np.testing.assert_array_equal(examples.liked, np.array([[0, 1, 0], [1, 0, PADDING], [1, 0, PADDING]]))
    np.testing.assert_array_equal(examples.history[:, :2], [[0, 0], [3, 0], [0, 0]])
    assert not examples.embeddings.any()


def test_unknown_pictures_of_a_history_do_not_take_the_places_of_known_ones(joined: Any) -> None:
    lists = [[9] * 60 + [3, 2], [9, 4], [9]]
    examples = examples_of(joined.impressions.assign(history=lists), np.array([4, 3, 2, 1]))
    np.testing.assert_array_equal(examples.history[:, :3], [[2, 3, 0], [1, 0, 0], [0, 0, 0]])
    assert not examples.history[:, 3:].any()
    narrow = examples.inputs(np.ones(5, bool))["history"]
    np.testing.assert_array_equal((narrow > 0).sum(axis=1), [2, 1, 0])


def test_times_are_unix_seconds(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="expected Unix seconds in the column time"):
        log(tmp_path, "likes", [{**LIKED[0], "time": "2026-11-25T08:00:00Z"}], LIKES)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Shanghai"])
def test_timestamps_of_any_kind_join_those_of_the_sdk(tmp_path: Path, unit: Any, zone: str | None) -> None:
    """The SDK logs fractions of seconds; a product's users may be numbers."""
    exposed = [exposure("a", "7", DAY + 0.25, [1, 2])]
    liked = pd.DataFrame([{"user": 7, "picture": 2, "time": DAY + 60}])
    times = pd.to_datetime(liked["time"], unit="s", utc=True)
    liked["time"] = (times.dt.tz_convert(zone) if zone else times.dt.tz_localize(None)).dt.as_unit(unit)
    liked.to_parquet(tmp_path / "likes.parquet")
    joined = join(
        log(tmp_path, "exposures", exposed, EXPOSURES),
        read_log(tmp_path / "likes.parquet", LIKES),
        pd.DataFrame(STORED),
    )
    assert [each.tolist() for each in joined.impressions["liked"]] == [[False, True]]
    assert (joined.unmatched, joined.unknown_users) == (0, 0)


def test_files_of_one_log_may_have_times_and_users_of_different_kinds(tmp_path: Path) -> None:
    (folder := tmp_path / "likes").mkdir()
    times = pd.to_datetime(pd.Series([DAY + 60.0]), unit="s", utc=True)
    for name, user, zone in (("a", 7, "UTC"), ("b", 7.0, "Asia/Shanghai"), ("c", "7", None)):
        time = times.dt.tz_convert(zone) if zone else times.dt.tz_localize(None)
        pd.DataFrame({"user": [user], "picture": [2], "time": time}).to_parquet(folder / f"{name}.parquet")
    (folder / "d.jsonl").write_text(json.dumps(like("7", 2, DAY + 60.5)) + "\n")
    likes = read_log(folder, LIKES)
    assert likes["user"].tolist() == ["7"] * 4
    assert likes["time"].max() - likes["time"].min() == pd.Timedelta("500ms")


def test_column_that_may_lack_values_must_exist(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    rows = [row | {"arm": arm} for row, arm in zip(EXPOSED, (None, "one", "two"), strict=True)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_log(file, EXPOSURES, nullable=("arm",))["arm"].dropna().tolist() == ["one", "two"]
    with pytest.raises(LogError, match=r"propensities, bucket; bucket missing"):
        read_log(file, EXPOSURES, nullable=("bucket",))


def test_whole_seconds_join_fractions(tmp_path: Path) -> None:
    exposed = [exposure("a", "7", DAY + 0.25, [1, 2])]
    liked = log(tmp_path, "likes", [{"user": 7, "picture": 1, "time": DAY + 60}], LIKES)
    joined = join(log(tmp_path, "exposures", exposed, EXPOSURES), liked, pd.DataFrame(STORED))
    assert [each.tolist() for each in joined.impressions["liked"]] == [[True, False]]


def test_priors_count_earlier_days_only(tmp_path: Path) -> None:
    tomorrow = [exposure("d", "8", DAY + HOUR, [1, 4])]
    impressions = join(
        log(tmp_path, "exposures", EXPOSED + tomorrow, EXPOSURES),
        log(tmp_path, "likes", LIKED, LIKES),
        log(tmp_path, "users", STORED, USERS),
    ).impressions
    priors = examples_of(impressions, np.array([1, 2, 3, 4])).priors
    np.testing.assert_allclose(priors[:3][:, 0], 0.5)
    # Picture 1 was liked in one of two shows, picture 4 in none of two.
    np.testing.assert_allclose(priors[3, :2], [2 / 4, 1 / 4])


def test_batches_drop_ids_and_embeddings_as_configured(joined: Any) -> None:
    impressions = pd.concat([joined.impressions] * 20, ignore_index=True)
    examples = examples_of(impressions.assign(embedding=[np.ones(256)] * 60), np.array([1, 2, 3, 4, 9]))
    config = Config(ids=True, epochs=2, batch=30, id_dropout=0.5, embedding_dropout=0.5)
    found = list(batches(examples, config, np.append(False, np.ones(5, bool))))
    again = list(batches(examples, config, np.append(False, np.ones(5, bool))))
    assert len(found) == 4
    ids = np.concatenate([inputs["candidate_ids"].ravel() for inputs, _ in found])
    kept = np.concatenate([inputs["embedding"][:, 0] for inputs, _ in found])
    assert 0.3 < np.mean(ids[ids > 0] == 1) < 0.7
    assert 0.3 < kept.mean() < 0.7
    np.testing.assert_array_equal(found[3][0]["candidate_ids"], again[3][0]["candidate_ids"])
