"""Hostile avatars and nicknames through `genderprep`: answered or refused, soon and in little memory."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genderprep import InvalidInput
from reliability.malformed.cases import Case, Expected, avatars, nicknames, some
from reliability.malformed.cases import corruption as damage
from reliability.malformed.cases.bombs import EDGES
from reliability.malformed.cases.sample_per_kind import valid
from reliability.malformed.fuzz import MODALITIES, fuzz
from reliability.malformed.isolated_worker import PREPARE, SHAPES, Worker, worker

# Of the processor's time, which a busy machine does not stretch as it does the clock's.
CPU_S = 1.5
MEMORY_MB = 256
# Seeds of what once took longer, more memory, or ended otherwise.
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
def preparing() -> Iterator[Worker]:
    with worker() as running:
        yield running


@pytest.fixture(scope="module")
def all_avatars() -> list[Case]:
    return list(avatars())


def complaint(running: Worker, modality: str, case: Case) -> str:
    """What is not right about an input's outcome, empty if it is."""
    outcome = running.prepare(modality, case.make())
    allowed = {"answered", "refused"} if case.expected is Expected.EITHER else {str(case.expected)}
    right = outcome.result in allowed and outcome.cpu_seconds <= CPU_S and outcome.memory_mb <= MEMORY_MB
    named = outcome.result != "refused" or outcome.message.startswith(f"{modality.upper()}: ")
    # An avatar over the limit of bytes would only try the first check.
    named &= modality != "avatar" or "bytes, the limit" not in outcome.message
    return "" if right and named else f"{case}: {outcome}"


def test_there_are_many(all_avatars: list[Case]) -> None:
    assert len(all_avatars) >= 1500
    assert len({str(case) for case in all_avatars}) == len(all_avatars)
    assert len(list(nicknames())) >= 100


def test_the_same_for_the_same_seed() -> None:
    first, second, other = (
        [case.make() for case in damage.cases(seed) if case.kind == "changed bytes"] for seed in (1, 1, 2)
    )
    assert first == second != other


def test_avatars(preparing: Worker, all_avatars: list[Case]) -> None:
    light = [case for case in all_avatars if case.kind not in ("bombs", "scans", "edges", "many segments")]
    assert [found for case in some(light, 40) if (found := complaint(preparing, "avatar", case))] == []


def test_avatars_that_cost_most(preparing: Worker, all_avatars: list[Case]) -> None:
    heavy = [case for case in all_avatars if case.kind in ("bombs", "scans", "many segments")]
    assert [found for case in some(heavy, 4) if (found := complaint(preparing, "avatar", case))] == []


@pytest.mark.parametrize("name", REGRESSIONS)
def test_what_once_broke_it(preparing: Worker, all_avatars: list[Case], name: str) -> None:
    (case,) = (each for each in all_avatars if str(each) == name)
    assert complaint(preparing, "avatar", case) == ""


@pytest.mark.parametrize("kind", EDGES)
def test_limits_at_their_edge(preparing: Worker, all_avatars: list[Case], kind: str) -> None:
    edges = [case for case in all_avatars if case.kind == "edges" and case.name.startswith(f"{kind},")]
    assert [case.expected for case in edges] == [Expected.ANSWER, Expected.REFUSAL]
    assert [found for case in edges if (found := complaint(preparing, "avatar", case))] == []


def test_nicknames(preparing: Worker) -> None:
    assert [found for case in nicknames() if (found := complaint(preparing, "nickname", case))] == []


def test_a_worker_says_what_ended_it(preparing: Worker) -> None:
    assert preparing.prepare("no modality", b"").result == "KeyError"
    preparing._process.kill()
    assert preparing.prepare("avatar", b"").result == "died"
    assert preparing.prepare("avatar", b"").result == "answered"


def prepared_or_refused(modality: str, content: bytes) -> None:
    try:
        array, _ = PREPARE[modality](content)
    except InvalidInput as exc:
        assert str(exc).startswith(f"{modality.upper()}: ")
    else:
        assert (array.shape, array.dtype.name) == SHAPES[modality]


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(valid())),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=8), st.integers(0, 8)), min_size=1, max_size=6),
)
def test_mutated_avatars(name: str, changes: list[tuple[float, bytes, int]]) -> None:
    content = bytearray(valid()[name])
    for place, inserted, removed in changes:
        start = int(place * len(content))
        content[start : start + removed] = inserted
    prepared_or_refused("avatar", bytes(content))


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=4200), st.text(max_size=1500).map(str.encode)))
def test_any_nickname(content: bytes) -> None:
    prepared_or_refused("nickname", content)


@pytest.mark.parametrize("modality", MODALITIES)
def test_fuzzing_for_a_moment(modality: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    run = fuzz(modality, 1, 1, tmp_path_factory.mktemp("found"))
    assert run.crash == ""
    assert run.executions > len(MODALITIES)
    assert run.coverage > 0
