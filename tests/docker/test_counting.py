"""How Triton counts rejected inputs, on which the alert rules rely."""

import pytest

from tests.support.inference import Refused, calling, users
from tests.support.scrape import total, total_once
from tests.support.tritonserver import Server

COUNT = "nv_inference_count"
SUCCESS = "nv_inference_request_success"
FAILURE = "nv_inference_request_failure"
STEPS = ("preprocess", "mobilenet", "densenet")


def test_rejected_input_counts_twice_at_the_ensemble_and_never_at_a_step(triton: Server) -> None:
    ensemble = total(triton, FAILURE, model="gender_mobilenet")
    preprocessed = total(triton, SUCCESS, model="preprocess")
    failed = sum(total(triton, FAILURE, model=step) for step in STEPS)
    with calling(triton, "grpc") as caller, pytest.raises(Refused, match="not an image"):
        caller.infer("gender_mobilenet", users((b"hello", b"")))
    assert total_once(triton, ensemble + 2, FAILURE, model="gender_mobilenet") == ensemble + 2
    assert total_once(triton, preprocessed + 1, SUCCESS, model="preprocess") == preprocessed + 1
    assert sum(total(triton, FAILURE, model=step) for step in STEPS) == failed


def test_ensemble_counts_only_users_with_a_prediction(triton: Server) -> None:
    counted = total(triton, COUNT, model="gender_mobilenet")
    with calling(triton, "grpc") as caller:
        with pytest.raises(Refused, match="not an image"):
            caller.infer("gender_mobilenet", users((b"hello", b"")))
        caller.infer("gender_mobilenet", users((b"", b"a"), (b"", b"b")))
    assert total_once(triton, counted + 2, COUNT, model="gender_mobilenet") == counted + 2
