"""Malformed avatars and nicknames through the preprocessing: answered or refused, within bounds of time and memory."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from reliability.malformed.cases import corruption
from reliability.malformed.cases.bombs import EDGES
from reliability.malformed.cases.case import Case, Expected, sample_per_kind
from reliability.malformed.corpus import avatars, nicknames
from reliability.malformed.fuzz import MAX_BYTES, fuzz
from reliability.malformed.isolated_worker import Worker

MEMORY_MB = 256
SLOW_KINDS = ("bombs", "scans", "many segments")
# Inputs that once took longer, needed more memory, or raised another error.
REGRESSIONS = (
    "scans: JPEG, 5656x5656, 1,000 scans",
    "scans: JPEG, 2000x2000, 10,000 scans",
    "many segments: JPEG, 10 MB of empty APP1",
    "many segments: JPEG, 10 MB of FF",
    "many segments: PNG, 10 MB of empty prVt",
    "many segments: GIF, a comment of 5 million blocks",
    "EXIF: JPEG, 9 MB of rational resolutions",
    "EXIF: PNG, 9 MB of rational orientations",
    "bombs: BMP, RLE4, runs, 5656x5656",
    "bombs: BMP, RLE8, end of row, 16000x2000",
    "bombs: PNG, 65500x488",
    "bombs: WEBP, lossy, 5656x5656",
    "bombs: JPEG, CMYK, progressive, 65500x488",
)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with closing(Worker()) as worker:
        yield worker


@pytest.fixture(scope="module")
def all_avatars() -> list[Case]:
    return list(avatars())


def violations(worker: Worker, modality: str, cases: Iterator[Case] | list[Case]) -> list[str]:
    """The inputs with an incorrect result or message, or with too much memory."""
    return [violation for case in cases if (violation := _violation(worker, modality, case))]


def _violation(worker: Worker, modality: str, case: Case) -> str:
    result = worker.prepare(modality, case.make())
    allowed = {"answered", "refused"} if case.expected is Expected.EITHER else {str(case.expected)}
    correct = result.result in allowed and result.memory_mb <= MEMORY_MB
    named = result.result != "refused" or result.message.startswith(f"{modality.upper()}: ")
    # An avatar above the byte limit would not reach the decoder.
    named &= modality != "avatar" or "bytes, the limit" not in result.message
    return "" if correct and named else f"{case}: {result}"


def test_corpus_is_large_and_names_are_unique(all_avatars: list[Case]) -> None:
    assert len(all_avatars) >= 1500
    assert len({str(case) for case in all_avatars}) == len(all_avatars)
    assert len(list(nicknames())) >= 100


def test_same_seed_gives_same_corpus() -> None:
    first, second, other = (
        [case.make() for case in corruption.cases(seed) if case.kind == "changed bytes"] for seed in (1, 1, 2)
    )
    assert first == second != other


def test_sample_is_spread_over_each_kind() -> None:
    cases = [Case(kind, str(number), b"") for kind in "ab" for number in range(10)]
    assert [str(case) for case in sample_per_kind(cases, 2)] == ["a: 0", "a: 5", "b: 0", "b: 5"]


def test_fast_avatars(worker: Worker, all_avatars: list[Case]) -> None:
    fast = [case for case in all_avatars if case.kind not in (*SLOW_KINDS, "edges")]
    assert violations(worker, "avatar", sample_per_kind(fast, 40)) == []


def test_slow_avatars(worker: Worker, all_avatars: list[Case]) -> None:
    slow = [case for case in all_avatars if case.kind in SLOW_KINDS]
    assert violations(worker, "avatar", sample_per_kind(slow, 4)) == []


@pytest.mark.parametrize("name", REGRESSIONS)
def test_regression(worker: Worker, all_avatars: list[Case], name: str) -> None:
    (case,) = (each for each in all_avatars if str(each) == name)
    assert violations(worker, "avatar", [case]) == []


@pytest.mark.parametrize("kind", EDGES)
def test_largest_image_is_answered_and_one_row_more_refused(worker: Worker, all_avatars: list[Case], kind: str) -> None:
    edges = [case for case in all_avatars if case.kind == "edges" and case.name.startswith(f"{kind},")]
    assert [case.expected for case in edges] == [Expected.ANSWER, Expected.REFUSAL]
    assert violations(worker, "avatar", edges) == []


def test_all_nicknames(worker: Worker) -> None:
    assert violations(worker, "nickname", nicknames()) == []


def test_worker_reports_how_it_ended_and_is_replaced(worker: Worker) -> None:
    assert worker.prepare("no modality", b"").result == "KeyError"
    worker._process.kill()
    assert worker.prepare("avatar", b"").result == "died"
    assert worker.prepare("avatar", b"").result == "answered"


@pytest.mark.parametrize("modality", MAX_BYTES)
def test_fuzzing_for_one_second(modality: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    run = fuzz(modality, 1, 1, tmp_path_factory.mktemp("artifacts"))
    assert run.crash == ""
    assert run.executions > 2
    assert run.coverage > 0
