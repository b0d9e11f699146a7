"""What operators see of a live `preprocess`: each refusal and each missing modality, once, also after a reload."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import psutil
import pytest

from genderprep import prep_digest
from genderprep.errors import AvatarFault, NicknameFault
from genderprep.limits import MAX_AVATAR_BYTES, MAX_NICKNAME_BYTES
from server.triton_control import TritonControl
from tests.support.inference import Caller, Refused, calling, users
from tests.support.pictures import encode, noise, png_of_size
from tests.support.scrape import scrape, total, total_once
from tests.support.tritonserver import ROOT, Server, running_triton
from training.synthetic.drawing import draw_default_avatar

REFUSED = "gender_refused_requests_total"
FAILURE = "nv_inference_request_failure"
MISSING = "gender_missing_inputs_total"
LOADED = "gender_preprocess_loaded_timestamp_seconds"

PICTURE = encode(noise(), "PNG")
NAME = "小美".encode()
# What is refused, and for which fault of which tensor.
BAD: dict[tuple[str, str], list[tuple[bytes, bytes]]] = {
    ("AVATAR", AvatarFault.TOO_MANY_BYTES): [(bytes(MAX_AVATAR_BYTES + 1), NAME)],
    ("AVATAR", AvatarFault.TOO_MANY_PIXELS): [(png_of_size(30_000, 30_000), NAME), (png_of_size(8000, 4001), NAME)],
    ("AVATAR", AvatarFault.TOO_MANY_PIECES): [(b"\xff\xd8" + b"\xff\xfe\0\2" * 300_000, NAME)],
    ("AVATAR", AvatarFault.NOT_AN_IMAGE): [(b"hello", NAME), (b"hello", b"\xff")],
    ("AVATAR", AvatarFault.DAMAGED): [(PICTURE[: len(PICTURE) // 2], b"")],
    ("NICKNAME", NicknameFault.TOO_MANY_BYTES): [(b"", b"a" * (MAX_NICKNAME_BYTES + 1))],
    ("NICKNAME", NicknameFault.NOT_UTF8): [(PICTURE, b"ab\xff")],
}
# The tensors about pictures, and those about users that are prepared in the same way.
OF_PICTURE = {"AVATAR": "PICTURE", "NICKNAME": "TITLE"}
# What is answered without a modality, and why that counts as missing.
INCOMPLETE: dict[tuple[str, str], tuple[bytes, bytes]] = {
    ("AVATAR", "absent"): (b"", NAME),
    ("AVATAR", "default"): (encode(draw_default_avatar(), "PNG"), NAME),
    ("NICKNAME", "absent"): (PICTURE, b""),
    ("NICKNAME", "default"): (PICTURE, "微信用户".encode()),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "model_repository" / "preprocess", folder / "preprocess")
    return folder


@pytest.fixture(scope="module")
def alone(repository: Path) -> Iterator[Server]:
    """A server with `preprocess` alone, which a test may reload."""
    with running_triton(repository, "--model-control-mode=explicit", "--load-model=preprocess") as server:
        yield server


@pytest.fixture
def caller(alone: Server) -> Iterator[Caller]:
    with calling(alone, "grpc") as made:
        yield made


def refuse(caller: Caller, *rows: tuple[bytes, bytes]) -> None:
    with pytest.raises(Refused):
        caller.infer("preprocess", users(*rows))


def kill_stubs(server: Server) -> None:
    stubs = psutil.Process(server.process.pid).children(recursive=True)
    for stub in stubs:
        stub.kill()
    psutil.wait_procs(stubs, timeout=5)


def counted(server: Server, name: str) -> dict[tuple[str, str], float]:
    """By tensor and reason."""
    samples = (sample for sample in scrape(server) if sample.name == name)
    return {(sample.labels["tensor"], sample.labels["reason"]): sample.value for sample in samples}


def test_refusals_are_counted_by_fault(alone: Server, caller: Caller) -> None:
    faults = {*BAD, *((OF_PICTURE[tensor], fault) for tensor, fault in BAD)}
    assert BAD.keys() == {("AVATAR", fault) for fault in AvatarFault} | {("NICKNAME", fault) for fault in NicknameFault}
    for fault, rows in BAD.items():
        before = counted(alone, REFUSED)
        assert before.keys() == faults
        for row in rows:
            refuse(caller, row)
        assert counted(alone, REFUSED) == before | {fault: before[fault] + len(rows)}


def test_missing_inputs_are_counted_by_reason(alone: Server, caller: Caller) -> None:
    for reason, row in INCOMPLETE.items():
        before = counted(alone, MISSING)
        assert before.keys() == INCOMPLETE.keys()
        caller.infer("preprocess", users(row, (PICTURE, NAME), row))
        assert counted(alone, MISSING) == before | {reason: before[reason] + 2}


def test_refused_picture_counts_under_its_own_name(alone: Server, caller: Caller) -> None:
    before, missing = counted(alone, REFUSED), counted(alone, MISSING)
    inputs = {OF_PICTURE[name]: array for name, array in users((PICTURE, b"\xff")).items()}
    with pytest.raises(Refused, match=r"^TITLE: not UTF-8"):
        caller.infer("preprocess", inputs)
    caller.infer("preprocess", {"PICTURE": users((b"", b""))["AVATAR"]})
    fault = ("TITLE", NicknameFault.NOT_UTF8)
    assert counted(alone, REFUSED) == before | {fault: before[fault] + 1}
    assert counted(alone, MISSING) == missing


def test_refused_request_counts_no_missing_input(alone: Server, caller: Caller) -> None:
    missing, refused = counted(alone, MISSING), total(alone, REFUSED)
    refuse(caller, (b"", b""), (b"hello", NAME), (b"hello", NAME))
    assert counted(alone, MISSING) == missing
    assert total(alone, REFUSED) == refused + 1


def test_metrics_contain_no_input(alone: Server, caller: Caller) -> None:
    marker = "planted3e8a"
    refuse(caller, (marker.encode(), marker.encode()))
    refuse(caller, (PICTURE, f"{marker}\xff".encode("latin-1")))
    caller.infer("preprocess", users((b"", marker.encode())))
    assert total(alone, REFUSED) >= 2
    assert marker not in str(scrape(alone))


def test_loaded_digest_is_a_metric(alone: Server) -> None:
    loaded_s = total(alone, LOADED, digest=prep_digest(), version="1")
    assert time.time() - 300 < loaded_s <= time.time()


def test_counts_survive_reload_and_dead_stub(alone: Server, caller: Caller) -> None:
    """All instances add to the same series, at once and one after the other."""
    before, loaded_s = total(alone, REFUSED), total(alone, LOADED)
    refuse(caller, (b"hello", NAME))
    TritonControl(alone.grpc_url).unload("preprocess")
    TritonControl(alone.grpc_url).load("preprocess")
    refuse(caller, (b"hello", NAME))
    kill_stubs(alone)
    failed = total(alone, FAILURE)
    refuse(caller, (PICTURE, NAME))
    # What the alert rules rely on: where the fault is the server's, the step counts one failure.
    assert total_once(alone, failed + 1, FAILURE, reason="BACKEND") == failed + 1
    TritonControl(alone.grpc_url).unload("preprocess")
    TritonControl(alone.grpc_url).load("preprocess")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: refuse(caller, (b"hello", NAME)), range(40)))
    assert total(alone, REFUSED) == before + 42
    assert total(alone, LOADED) > loaded_s


def test_reload_under_load_loses_no_count(alone: Server, caller: Caller, repository: Path) -> None:
    """Triton starts the new instances before it ends the old ones: for a moment both count."""
    before, loaded_s = total(alone, REFUSED), total(alone, LOADED)
    loaded = Event()

    def refuse_until_loaded() -> int:
        times = 0
        while not loaded.is_set():
            refuse(caller, (b"hello", NAME))
            times += 1
        return times

    with ThreadPoolExecutor(4) as pool:
        refusals = [pool.submit(refuse_until_loaded) for _ in range(4)]
        (repository / "preprocess" / "1" / "model.py").touch()
        TritonControl(alone.grpc_url).load("preprocess")
        loaded.set()
        refused = sum(each.result() for each in refusals)
    refuse(caller, (b"hello", NAME))
    assert refused > 4
    assert total(alone, REFUSED) == before + refused + 1
    assert total(alone, LOADED) > loaded_s
