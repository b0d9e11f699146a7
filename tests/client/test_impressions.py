"""What is written about the lists that users were shown."""

import json
import multiprocessing
import pickle
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genderclient import Client, Experiment, FakeTransport, Impression, ImpressionLog, ServerError, Status
from tests.support.client.fakes import failing, respond_list
from training.ranking import impressions

SEP_24 = datetime(2026, 9, 24, 23, 59, 59, 500_000, UTC).timestamp()


def impression(user: str, time: float = SEP_24) -> Impression:
    lists: dict[str, Any] = {"pictures": (7, 3), "propensities": (0.5, 0.625), "scores": (0.75, 0.5)}
    return Impression(request_id="5f0c", user=user, time=time, **lists, model="rank_mobilenet", version="1")


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.iterdir()) for line in file.read_text("utf-8").splitlines()]


def test_impression_of_ranking_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "shown"
    with Client(transport=FakeTransport(respond_list), on_impression=ImpressionLog(folder)) as client:
        ranking = client.rank(nickname="planted-nickname", avatar=b"planted-avatar", k=2, user_id="小美")
        client.rank(nickname="a user without an id is not reported")
        client.predict(nickname="planted-nickname")
    (file,) = folder.iterdir()
    assert file.name == f"{datetime.now(UTC).date()}.jsonl"
    (line,) = lines(folder)
    assert line.pop("time") == pytest.approx(datetime.now(UTC).timestamp(), abs=60)
    assert line == {
        "request_id": ranking.request_id,
        "user": "小美",
        "pictures": [7, 3],
        "propensities": [0.5, 0.625],
        "scores": [0.75, 0.5],
        "model": "rank_mobilenet",
        "version": "1",
        "arm": None,
    }
    assert "planted" not in file.read_text("utf-8")


def test_impression_names_the_arm_and_shadow_requests_are_none() -> None:
    reported: list[Impression] = []
    experiment = Experiment("x", {"a": 1.0, "b": 1.0}, question="rank", overrides={"u": "b"}, on_shadow=lambda _: None)
    transport = FakeTransport(respond_list)
    with Client(transport=transport, experiment=experiment, on_impression=reported.append) as client:
        client.rank(user_id="u")
    assert [(each.user, each.arm, each.model) for each in reported] == [("u", "b", "b")]
    assert "'u'" not in repr(reported[0])


def test_failure_is_no_impression() -> None:
    reported: list[Impression] = []
    client = Client(transport=failing(Status.FAILED), on_impression=reported.append)
    with pytest.raises(ServerError):
        client.rank(user_id="u")
    assert not reported


def test_callback_must_be_a_function() -> None:
    with pytest.raises(TypeError, match="on_impression: got str, expected a function or None"):
        Client(on_impression="shown")  # type: ignore[arg-type]


def test_each_day_has_a_file(tmp_path: Path) -> None:
    log = ImpressionLog(tmp_path)
    log(impression("1"))
    log(impression("2", SEP_24 + 1))
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["2026-09-24.jsonl", "2026-09-25.jsonl"]


def write_many(folder: Path, process: int) -> None:
    log = ImpressionLog(folder)
    with ThreadPoolExecutor(4) as pool:
        pool.map(log, [impression(f"{process}-{number}") for number in range(200)])


def test_threads_and_processes_share_a_file(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=write_many, args=(tmp_path, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    users = [line["user"] for line in lines(tmp_path)]
    assert len(users) == len(set(users)) == 3 * 200


def test_line_that_is_not_written_whole_is_an_error(tmp_path: Path) -> None:
    """As on a full disk: the kernel writes what fits, and reports no error."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    log = ImpressionLog(tmp_path)
    try:
        with pytest.raises(OSError, match="No space left"):
            log(impression("1"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    log(impression("2"))
    (file,) = tmp_path.iterdir()
    cut, whole = file.read_text("utf-8").splitlines()
    assert len(cut) == 100
    assert json.loads(whole)["user"] == "2"
    with pytest.raises(impressions.LogError, match=r"2026-09-24\.jsonl, line 1: expected a JSON object; delete"):
        impressions.read_log(tmp_path, impressions.EXPOSURES)


def test_log_can_be_sent_to_another_process(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(ImpressionLog(tmp_path)))(impression("1"))
    assert [line["user"] for line in lines(tmp_path)] == ["1"]


def test_training_reads_what_was_written(tmp_path: Path) -> None:
    with Client(transport=FakeTransport(respond_list), on_impression=ImpressionLog(tmp_path / "shown")) as client:
        rankings = {user: client.rank(user_id=user, k=2) for user in ("007", "10042", "小美")}
    likes = [{"request_id": rankings["007"].request_id, "user": "007", "picture": 3, "time": time.time() + 1}]
    (tmp_path / "likes.jsonl").write_text("".join(json.dumps(like) + "\n" for like in likes))
    joined = impressions.join(
        impressions.read_log(tmp_path / "shown", impressions.EXPOSURES),
        impressions.read_log(tmp_path / "likes.jsonl", impressions.LIKES),
        pd.DataFrame({"user": ["007"], "probabilities": [(0.25, 0.75)]}),
    )
    rows = {row["user"]: row for row in joined.impressions.to_dict("records")}
    assert rows.keys() == rankings.keys()
    assert list(rows["007"]["pictures"]) == [7, 3]
    assert list(rows["007"]["propensities"]) == [0.5, 0.625]
    assert list(rows["007"]["liked"]) == [False, True]
    assert list(rows["007"]["probabilities"]) == [0.25, 0.75]
    assert (joined.unmatched, joined.repeated, joined.unknown_users) == (0, 0, 2)
