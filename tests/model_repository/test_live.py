"""The model repository in a real Triton, asked with tritonclient and with plain HTTP."""

import json
import shutil
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genderprep.limits import MAX_AVATAR_BYTES, MAX_NICKNAME_BYTES
from genderprep.tensors import EMBEDDING_SIZE, IMAGE_SIZE, LABELS, MAX_TOKENS
from tests.support.inference import (
    BAD_REQUEST,
    Arrays,
    Caller,
    Refused,
    calling,
    json_input,
    post,
    post_binary,
    post_user,
    requested,
    users,
)
from tests.support.pictures import encode, png_of_size
from tests.support.tritonserver import ROOT, Server, running_triton
from training.synthetic.drawing import draw_default_avatar, draw_portrait, draw_scene

ENSEMBLES = ("gender_densenet", "gender_mobilenet")
SHAPES = {"PROBABILITIES": (2,), "WEIGHTS": (2,), "EMBEDDING": (EMBEDDING_SIZE,)}
NICKNAME = "小仙女🌹".encode()
PORTRAITS = [encode(draw_portrait(LABELS[seed % 2], seed), "JPEG") for seed in range(6)]
PORTRAIT = PORTRAITS[0]
DEFAULT_AVATAR = encode(draw_default_avatar(), "PNG")

# Bad avatar, bad nickname, and what the message says.
BAD_USERS: dict[str, tuple[bytes, bytes, str]] = {
    "not an image": (b"hello", NICKNAME, "AVATAR: not an image; send the bytes of a JPEG, PNG, WEBP, GIF, BMP file"),
    "truncated": (PORTRAIT[: len(PORTRAIT) // 2], NICKNAME, "AVATAR: the image is damaged or truncated"),
    "bomb": (png_of_size(30_000, 30_000), NICKNAME, "AVATAR: too many pixels, the limit is 32000000"),
    "too many pixels": (png_of_size(8000, 4001), NICKNAME, "AVATAR: 8000x4001 pixels, the limit is 32000000 in all"),
    "too many bytes": (bytes(MAX_AVATAR_BYTES + 1), NICKNAME, "AVATAR: 10485761 bytes, the limit is 10485760"),
    "invalid UTF-8": (PORTRAIT, b"ab\xff", "NICKNAME: not UTF-8 (byte 2: invalid start byte)"),
    "long nickname": (PORTRAIT, b"a" * (MAX_NICKNAME_BYTES + 1), "NICKNAME: 4097 bytes, the limit is 4096"),
}
BYTES = np.array([[b""]], np.object_)
# Inputs that do not fit the configuration, and what the message says.
BAD_TENSORS: dict[str, tuple[Arrays, str]] = {
    "wrong dtype": ({"AVATAR": np.zeros((1, 1), np.int32), "NICKNAME": BYTES}, "'AVATAR' data-type is 'INT32'"),
    "wrong shape": ({"AVATAR": np.repeat(BYTES, 2, 1), "NICKNAME": BYTES}, "'AVATAR' for model 'gender_mobilenet'"),
    "no batch": ({"AVATAR": BYTES[0], "NICKNAME": BYTES}, "'AVATAR' for model 'gender_mobilenet'"),
    "uneven batches": ({"AVATAR": np.repeat(BYTES, 2, 0), "NICKNAME": BYTES}, "'AVATAR' batch size does not match"),
    "missing input": ({"NICKNAME": BYTES}, "missing required input(s) ['AVATAR']"),
    "unknown input": ({"AVATAR": BYTES, "NICKNAME": BYTES, "AGE": BYTES}, "expected 2 inputs but got 3"),
    "batch over the limit": (users(*[(b"", b"")] * 33), "batch-size must be <= 32"),
}


def prepared(**changed: NDArray[Any]) -> Arrays:
    """One user as the ONNX models take it."""
    arrays: Arrays = {
        "IMAGE": np.zeros((1, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8),
        "TOKENS": np.full((1, MAX_TOKENS), 20, np.int32),
        "PRESENT": np.ones((1, 2), np.bool_),
    }
    return arrays | changed


def assert_answers(caller: Caller, model: str = "gender_mobilenet") -> None:
    assert caller.infer(model, users((PORTRAIT, NICKNAME)))["PROBABILITIES"].shape == (1, 2)


def assert_for_people(message: str) -> None:
    """Readable, and nothing of the machine inside."""
    assert not any(secret in message for secret in ("/", "Traceback", ".py", "site-packages"))
    assert len(message) < 500


@pytest.mark.parametrize("model", ENSEMBLES)
def test_output_shapes_and_types(caller: Caller, model: str) -> None:
    answer = caller.infer(model, users((PORTRAIT, NICKNAME)))
    assert {name: array.shape for name, array in answer.items()} == {name: (1, *s) for name, s in SHAPES.items()}
    assert {array.dtype.name for array in answer.values()} == {"float32"}
    assert all(np.isfinite(array).all() for array in answer.values())


@pytest.mark.parametrize("model", ENSEMBLES)
def test_probabilities_and_weights_sum_to_one(caller: Caller, model: str) -> None:
    answer = caller.infer(model, users(*((portrait, NICKNAME) for portrait in PORTRAITS)))
    for name in ("PROBABILITIES", "WEIGHTS"):
        np.testing.assert_allclose(answer[name].sum(axis=1), 1, atol=1e-5)
        assert ((answer[name] > 0) & (answer[name] < 1)).all()


@pytest.mark.parametrize("model", ENSEMBLES)
def test_a_face_beats_a_sentence_and_a_clear_name_a_landscape(caller: Caller, model: str) -> None:
    sentence, names = "今天天气不错".encode(), ("李国强".encode(), "王美丽".encode())
    scene = encode(draw_scene(1), "JPEG")
    answer = caller.infer(model, users(*((portrait, sentence) for portrait in PORTRAITS), *((scene, n) for n in names)))
    of_avatars = answer["WEIGHTS"][:, 0]
    assert (of_avatars[: len(PORTRAITS)] > 0.6).all()
    assert (of_avatars[len(PORTRAITS) :] < 0.2).all()
    male, female = answer["PROBABILITIES"][len(PORTRAITS) :, 1]
    assert male < 0.2 < 0.8 < female


@pytest.mark.parametrize("model", ENSEMBLES)
@pytest.mark.parametrize(
    ("avatar", "nickname", "weights"),
    [
        (PORTRAIT, b"", (1, 0)),
        (PORTRAIT, "微信用户".encode(), (1, 0)),
        (PORTRAIT, "\u3164\u200b".encode(), (1, 0)),
        (b"", NICKNAME, (0, 1)),
        (DEFAULT_AVATAR, NICKNAME, (0, 1)),
        (b"", b"", (0, 0)),
        (DEFAULT_AVATAR, "微信用户".encode(), (0, 0)),
    ],
)
def test_missing_modality_has_weight_zero(
    caller: Caller, model: str, avatar: bytes, nickname: bytes, weights: tuple[int, int]
) -> None:
    answer = caller.infer(model, users((avatar, nickname)))
    assert answer["WEIGHTS"].tolist() == [list(weights)]
    np.testing.assert_allclose(answer["PROBABILITIES"].sum(), 1, atol=1e-5)


@pytest.mark.parametrize("model", ENSEMBLES)
def test_only_present_modality_decides(caller: Caller, model: str) -> None:
    rows = users((b"", b""), (DEFAULT_AVATAR, "微信用户".encode()), (b"", NICKNAME), (DEFAULT_AVATAR, NICKNAME))
    nothing, sentinels, nickname, beside_default = caller.infer(model, rows)["PROBABILITIES"]
    np.testing.assert_allclose(sentinels, nothing, atol=1e-6)
    np.testing.assert_allclose(beside_default, nickname, atol=1e-3)


def test_error_names_row_of_batch(caller: Caller) -> None:
    with pytest.raises(Refused) as refused:
        caller.infer("gender_mobilenet", users((PORTRAIT, NICKNAME), (b"hello", NICKNAME)))
    assert "AVATAR: not an image" in str(refused.value)
    assert "(row 1 of 2)" in str(refused.value)


@pytest.mark.parametrize("model", ENSEMBLES)
def test_batch_equals_single_requests(caller: Caller, model: str) -> None:
    rows = [(portrait, f"小{index}".encode()) for index, portrait in enumerate(PORTRAITS)]
    together = caller.infer(model, users(*rows))
    for index, row in enumerate(rows):
        alone = caller.infer(model, users(row))
        for name, array in alone.items():
            np.testing.assert_allclose(together[name][index], array[0], atol=1e-3)


@pytest.mark.parametrize("model", [*ENSEMBLES, "densenet", "mobilenet"])
def test_classification_extension_gives_labels(caller: Caller, model: str) -> None:
    inputs = users((PORTRAIT, NICKNAME)) if model in ENSEMBLES else prepared()
    probabilities = caller.infer(model, inputs)["PROBABILITIES"][0]
    (classes,) = caller.infer(model, inputs, [requested(caller.protocol, "PROBABILITIES", class_count=2)]).values()
    found = {label: float(value) for value, _, label in (c.decode().split(":") for c in classes[0])}
    assert found == pytest.approx(dict(zip(LABELS, probabilities.tolist(), strict=True)), abs=1e-4)


@pytest.mark.parametrize("model", ENSEMBLES)
def test_json_over_http(triton: Server, model: str) -> None:
    inputs = [json_input("AVATAR") | {"data": [""]}, json_input("NICKNAME") | {"data": ["小仙女🌹"]}]
    answer = post(triton, model, json.dumps({"inputs": inputs}).encode())
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert {name: output["shape"] for name, output in outputs.items()} == {n: [1, *s] for n, s in SHAPES.items()}
    assert {output["datatype"] for output in outputs.values()} == {"FP32"}
    assert outputs["WEIGHTS"]["data"] == [0, 1]
    assert sum(outputs["PROBABILITIES"]["data"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("model", ENSEMBLES)
def test_binary_http_equals_tritonclient(triton: Server, caller: Caller, model: str) -> None:
    answer = post_user(triton, model, PORTRAIT, NICKNAME.decode())
    expected = caller.infer(model, users((PORTRAIT, NICKNAME)))
    for output in answer["outputs"]:
        np.testing.assert_allclose(output["data"], expected[output["name"]][0], atol=1e-3)


@pytest.mark.parametrize("model", ENSEMBLES)
@pytest.mark.parametrize("kind", BAD_USERS)
def test_bad_input_fails_only_its_request(caller: Caller, model: str, kind: str) -> None:
    avatar, nickname, message = BAD_USERS[kind]
    with pytest.raises(Refused) as refused:
        caller.infer(model, users((avatar, nickname)))
    assert refused.value.status == BAD_REQUEST[caller.protocol]
    assert message in str(refused.value)
    assert_for_people(str(refused.value))
    assert_answers(caller, model)


@pytest.mark.parametrize("kind", BAD_TENSORS)
def test_wrong_shape_fails_only_its_request(caller: Caller, kind: str) -> None:
    inputs, message = BAD_TENSORS[kind]
    with pytest.raises(Refused) as refused:
        caller.infer("gender_mobilenet", inputs)
    assert refused.value.status == BAD_REQUEST[caller.protocol]
    assert message in str(refused.value)
    assert_answers(caller)


def test_bad_row_fails_its_whole_request(caller: Caller) -> None:
    with pytest.raises(Refused, match="AVATAR: not an image"):
        caller.infer("gender_mobilenet", users((PORTRAIT, NICKNAME), (b"hello", NICKNAME)))
    assert_answers(caller)


@pytest.mark.parametrize("model", ENSEMBLES)
def test_garbage_over_http_gives_400(triton: Server, model: str) -> None:
    with pytest.raises(Refused, match="AVATAR: not an image") as refused:
        post_user(triton, model, b"\x00\xffgarbage", "小仙女")
    assert refused.value.status == "400"
    assert_for_people(str(refused.value))
    assert post_user(triton, model, PORTRAIT, "小仙女")["model_name"] == model


@pytest.mark.parametrize("tensor", [b"\xff\xff\xff\x7fabcd", b"\x02\x00", b"\x02\x00\x00\x00abcd", b""])
def test_broken_bytes_tensor_gives_400(triton: Server, tensor: bytes) -> None:
    with pytest.raises(Refused, match="'AVATAR'") as refused:
        post_binary(triton, "gender_mobilenet", tensor, "小仙女")
    assert refused.value.status == "400"
    assert_for_people(str(refused.value))


@pytest.mark.parametrize("model", ["densenet", "mobilenet"])
@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"IMAGE": np.zeros((1, 64, 64, 3), np.uint8)}, "IMAGE"),
        ({"IMAGE": np.zeros((1, IMAGE_SIZE, IMAGE_SIZE, 3), np.float32)}, "IMAGE"),
        ({"TOKENS": np.zeros((1, MAX_TOKENS + 1), np.int32)}, "TOKENS"),
        ({"TOKENS": np.zeros((1, MAX_TOKENS), np.int64)}, "TOKENS"),
        ({"PRESENT": np.ones((1, 3), np.bool_)}, "PRESENT"),
    ],
)
def test_onnx_models_refuse_other_tensors(caller: Caller, model: str, changed: Arrays, name: str) -> None:
    with pytest.raises(Refused, match=f"input '{name}'") as refused:
        caller.infer(model, prepared(**changed))
    assert refused.value.status == BAD_REQUEST[caller.protocol]
    assert caller.infer(model, prepared())["WEIGHTS"].shape == (1, 2)


@pytest.mark.parametrize("model", ENSEMBLES)
def test_concurrent_bad_requests_do_not_affect_good_ones(triton: Server, model: str) -> None:
    good = [(portrait, nickname.encode()) for portrait in PORTRAITS for nickname in ("国强", "小仙女🌹", "", "Zoë")]
    bad = [(avatar, nickname) for avatar, nickname, _ in BAD_USERS.values()] * 2
    with calling(triton, "grpc") as caller, ThreadPoolExecutor(2 * len(good)) as pool:
        alone = [caller.infer(model, users(row)) for row in good]
        before = counts(caller, model.removeprefix("gender_"))
        answers = [pool.submit(caller.infer, model, users(row)) for row in good]
        refusals = [pool.submit(caller.infer, model, users(row)) for row in bad]
        broken = [pool.submit(post_binary, triton, model, b"\xff" * 8, "小") for _ in range(8)]
        for answer, expected in zip(answers, alone, strict=True):
            for name, array in answer.result().items():
                np.testing.assert_allclose(array, expected[name], atol=1e-3)
        assert {status(each) for each in refusals} == {BAD_REQUEST["grpc"]}
        assert {status(each) for each in broken} == {BAD_REQUEST["http"]}
        inferences, executions = counts_since(before, len(good), caller, model.removeprefix("gender_"))
    assert len(good) <= inferences
    assert 0 < executions < inferences


def test_bad_request_in_dynamic_batch_fails_alone(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "model_repository" / "preprocess", tmp_path / "preprocess")
    with (tmp_path / "preprocess" / "config.pbtxt").open("a", encoding="utf-8") as config:
        config.write("dynamic_batching { preferred_batch_size: [8] max_queue_delay_microseconds: 5000000 }")
    rows = [(PORTRAIT, NICKNAME), *((avatar, nickname) for avatar, nickname, _ in BAD_USERS.values())]
    with running_triton(tmp_path) as server, calling(server, "grpc") as caller, ThreadPoolExecutor(8) as pool:
        before = counts(caller, "preprocess")
        good, *bad = [pool.submit(caller.infer, "preprocess", users(row)) for row in rows]
        assert good.result()["PRESENT"].tolist() == [[True, True]]
        assert [status(each) for each in bad] == [BAD_REQUEST["grpc"]] * 7
        for refusal, (_, _, message) in zip(bad, BAD_USERS.values(), strict=True):
            assert message in str(refusal.exception())
        assert counts_since(before, 8, caller, "preprocess") == (8, 1)


@pytest.mark.parametrize("model", ENSEMBLES)
def test_log_contains_no_input(triton: Server, model: str) -> None:
    marker = "planted9f2c"
    portrait = encode(draw_portrait("female", 1), "JPEG", comment=f"{marker}-avatar")
    with calling(triton, "grpc") as caller:
        caller.infer(model, users((portrait, f"{marker}-小".encode())))
        for row in ((f"{marker}-garbage".encode(), b""), (portrait[: len(portrait) // 2], marker.encode())):
            with pytest.raises(Refused):
                caller.infer(model, users(row))
        with pytest.raises(Refused):
            caller.infer(model, users((portrait, f"{marker}\xff".encode("latin-1"))))
    assert marker in portrait.decode("latin-1")
    assert marker not in triton.log()
    assert "Started HTTPService" in triton.log()


def status(refused: Future[Any]) -> str:
    error = refused.exception()
    assert isinstance(error, Refused)
    return error.status


def counts(caller: Caller, model: str) -> tuple[int, int]:
    """Users answered and runs of the model so far."""
    (statistics,) = caller.client.get_inference_statistics(model).model_stats
    return int(statistics.inference_count), int(statistics.execution_count)


def counts_since(before: tuple[int, int], users: int, caller: Caller, model: str) -> tuple[int, int]:
    """What was counted since, once it is so many users: Triton counts a moment after it answers."""
    deadline = time.monotonic() + 5
    while (after := counts(caller, model))[0] < before[0] + users and time.monotonic() < deadline:
        time.sleep(0.05)
    return after[0] - before[0], after[1] - before[1]
