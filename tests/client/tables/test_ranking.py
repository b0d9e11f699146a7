"""Lists for every user of a table."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from genderclient import Client, FakeTransport, InferenceRequest, InferenceResponse, RedisHistory
from genderclient._cli.app import app
from genderclient.tables import ClientSettings, RankingColumns, RankingTask, ScoringTask, TableError, TableJob, chunks
from tests.support.client.fakes import respond_list
from tests.support.client.tables import Row, read_table, write_table

Asked = list[tuple[str, dict[str, Any]]]
SUFFIXES = ("csv", "jsonl", "parquet")
LIST = {
    "pictures": [7, 3],
    "scores": [0.75, 0.5],
    "propensities": [0.5, 0.625],
    "model": "rank_mobilenet",
    "version": "1",
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Model and inputs of each request, in the order of the rows; the first is a probe."""
    received: Asked = []

    def respond(request: InferenceRequest) -> InferenceResponse:
        received.append((request.model, {tensor.name: tensor.values for tensor in request.inputs}))
        return respond_list(request)

    monkeypatch.setattr(ClientSettings, "client", lambda self: Client(transport=FakeTransport(respond)))
    return received


def rank(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["rank", *map(str, arguments), "--quiet", "--concurrency", "1"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lists_of_users_are_written(asked: Asked, tmp_path: Path, suffix: str) -> None:
    liked: list[Any] = [[4, 5], []] if suffix != "csv" else ["[4, 5]", ""]
    rows = [{"nickname": f"n{n}", "liked": liked[n], "city": "x", "uid": f"u{n}"} for n in range(2)]
    users = write_table(tmp_path / f"users.{suffix}", rows)
    result = rank(users, "-o", tmp_path / "lists.parquet", "--k", 2, "--id-column", "uid")
    assert (result.exit_code, result.stderr) == (0, f"2 ranked, 0 failed; {tmp_path / 'lists.parquet'}\n")
    written = read_table(tmp_path / "lists.parquet")
    assert all(re.fullmatch("[0-9a-f]{32}", row.pop("request_id")) for row in written)
    assert written == [{"row": n, "id": f"u{n}", **LIST, "city": "x"} for n in range(2)]
    assert [(model, inputs.get("HISTORY")) for model, inputs in asked[1:]] == [
        ("rank_mobilenet", (4, 5)),
        ("rank_mobilenet", None),
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_embeddings_that_score_wrote_replace_avatars(asked: Asked, tmp_path: Path, suffix: str) -> None:
    users = write_table(tmp_path / "users.jsonl", [{"nickname": "x", "avatar": "", "tag": "a"}])
    scored = tmp_path / f"scored.{suffix}"
    arguments = [str(users), "-o", str(scored), "--embedding", "--quiet"]
    assert CliRunner().invoke(app, ["score", *arguments]).exit_code == 0
    asked.clear()
    result = rank(scored, "-o", tmp_path / "lists.jsonl")
    assert result.exit_code == 0, result.stderr
    assert [(model, sorted(inputs)) for model, inputs in asked] == [
        ("rank_embedding", ["EMBEDDING", "PROBABILITIES"])
    ] * 2
    assert asked[1][1]["PROBABILITIES"] == (0.75, 0.25)
    (row,) = read_table(tmp_path / "lists.jsonl")
    assert (row["pictures"], row["gender"], row["tag"]) == ([7, 3, 9], "male", "a")
    assert not {"embedding", "male", "female", "nickname"} & {*row}


def test_invalid_values_fail_their_own_row(asked: Asked, tmp_path: Path) -> None:
    zeros = [0.0] * 256
    rows: list[Row] = [
        {"liked": [1], "embedding": zeros, "male": 0.5, "female": 0.5},
        {"liked": [1], "embedding": [0.0] * 3, "male": 0.5, "female": 0.5},
        {"liked": [1], "embedding": zeros, "male": None, "female": 0.5},
        {"liked": "planted", "embedding": None},
        {"liked": ["planted"], "embedding": None},
        {"liked": 7, "embedding": None},
        {"liked": [1], "embedding": [10**400] * 256, "male": 0.5, "female": 0.5},
        {"liked": "4 5", "embedding": None},
    ]
    result = rank(write_table(tmp_path / "users.jsonl", rows), "-o", tmp_path / "lists.jsonl")
    assert result.exit_code == 1
    assert "2 ranked, 6 failed" in result.stderr
    failed = (tmp_path / "lists.jsonl.failed.csv").read_text()
    assert re.findall(r"^(\d),,\w+,\"?(.*?)[:;\n]", failed, re.MULTILINE) == [
        ("1", "embedding"),
        ("2", "male"),
        ("3", "liked"),
        ("4", "liked, position 0"),
        ("5", "liked"),
        ("6", "embedding"),
    ]
    assert "planted" not in failed + result.output
    assert asked[-1][1]["HISTORY"] == (4, 5)


def test_options_reach_the_server(asked: Asked, tmp_path: Path) -> None:
    users = write_table(tmp_path / "users.csv", [{"nickname": f"n{n}", "uid": f"u{n}"} for n in range(2)])
    (tmp_path / "ids.txt").write_text("7\n3\n", encoding="utf-8-sig")
    options = ("--among", tmp_path / "ids.txt", "--seed", 5, "--model", "rank_densenet", "--popular")
    assert rank(users, "-o", tmp_path / "lists.csv", *options).exit_code == 0
    assert [model for model, _ in asked] == ["rank_densenet"] * 3
    assert all(inputs["CANDIDATES"] == (7, 3) and inputs["NICKNAME"] == (b"",) for _, inputs in asked[1:])
    assert len({inputs["SEED"] for _, inputs in asked[1:]}) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--k", "21"], "k: got 21, expected an integer from 1 to 20"),
        (["--seed", "-1"], "seed: got -1"),
        (["--liked-column", "likes"], "no column 'likes' among the 2 columns"),
        (["--history", "redis://127.0.0.1:1/0"], "history: expected the ids of the users; name their column"),
        (["--history", "http://planted"], "url: expected redis://host:port/database"),
        (["--among", "users.csv"], "users.csv: expected one picture id per line"),
        (["--among", "gone.txt"], "gone.txt"),
        (["--among", "gb18030.txt"], "gb18030.txt: expected one picture id per line"),
    ],
)
def test_invalid_option_is_named(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(Path("users.csv"), [{"nickname": "a", "uid": "1"}])
    Path("gb18030.txt").write_text("图", encoding="gb18030")
    result = rank("users.csv", "-o", "lists.csv", *options)
    assert (result.exit_code, message in result.stderr, asked) == (2, True, []), result.stderr
    assert "planted" not in result.stderr


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"city": "x"}, "no column avatar or nickname or embedding or liked or id among the 1 columns"),
        ({"id": "1"}, "the table has ids only"),
        ({"embedding": "0", "male": "1"}, "embeddings need the columns male and female; female is missing"),
    ],
)
def test_table_without_users_is_refused(asked: Asked, tmp_path: Path, row: Row, message: str) -> None:
    columns = RankingColumns(id="id" if "id" in row else None)
    with pytest.raises(TableError, match=message):
        TableJob(
            write_table(tmp_path / "users.csv", [row]), tmp_path / "out.csv", columns, ClientSettings(), RankingTask()
        )


def test_histories_are_read_by_id(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[list[str]] = []

    def liked_many(self: RedisHistory, user_ids: list[str]) -> list[tuple[int, ...]]:
        read.append(user_ids)
        return [(int(user_id), 1) for user_id in user_ids]

    monkeypatch.setattr(RedisHistory, "liked_many", liked_many)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 2)
    users = write_table(tmp_path / "users.csv", [{"id": n} for n in (4, 5, 6)])
    options = ("--history", "redis://127.0.0.1:1/0", "--id-column", "id")
    assert rank(users, "-o", tmp_path / "lists.csv", *options).exit_code == 0
    assert [inputs.get("HISTORY") for _, inputs in asked[1:]] == [(4, 1), (5, 1), (6, 1)]
    assert read == [["4", "5"], ["6"]]


def test_job_is_resumed_but_not_with_other_arguments(asked: Asked, tmp_path: Path) -> None:
    users = write_table(tmp_path / "users.csv", [{"nickname": "a"}])

    def make(task: RankingTask | ScoringTask) -> TableJob:
        return TableJob(users, tmp_path / "out.jsonl", RankingColumns(), ClientSettings(), task)

    folder = tmp_path / "out.jsonl.chunks"
    first = make(RankingTask(k=3))
    first._claim_chunk_folder()
    chunks.write_chunk(folder, 0, [{"row": 0, "id": None, "pictures": [1], "model": "earlier"}])
    for other in (RankingTask(k=4), RankingTask(k=3, seed=1), ScoringTask()):
        with pytest.raises(TableError, match="belongs to a job with another input"):
            make(other).run(concurrency=1)
    assert make(RankingTask(k=3)).run(concurrency=1).succeeded == 1
    assert read_table(tmp_path / "out.jsonl")[0]["model"] == "earlier"


def test_rows_with_a_fault_fail_for_popular_lists_too(asked: Asked, tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text("uid,liked\na,[1]\nb,abc\nc,[2],surplus\n")
    result = rank(users, "-o", tmp_path / "lists.jsonl", "--popular", "--id-column", "uid")
    assert "1 ranked, 2 failed" in result.stderr
    assert [row["id"] for row in read_table(tmp_path / "lists.jsonl")] == ["a"]
