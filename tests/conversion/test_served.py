from pathlib import Path

import numpy as np
import pytest

from conversion.served import Prepared, compare, metrics, regressions
from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from tests.support.server.gender_models import publish
from training.data.batches import Users

SERVED = {
    "users": 900,
    "accuracy": 0.82,
    "auc": 0.9,
    "recall_male": 0.8,
    "recall_female": 0.84,
    "ece": 0.03,
    "latency_p50_ms": 4.0,
}


@pytest.fixture
def users() -> Users:
    female = np.arange(10)[:, None] % 2.0
    images, tokens = np.zeros((10, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8), np.zeros((10, MAX_TOKENS), np.int32)
    return Users(images, tokens, np.ones((10, 2), np.bool_), female, female, np.ones(10))


@pytest.mark.parametrize(
    ("metric", "tolerated", "rejected"),
    [
        ("accuracy", 0.81, 0.809),
        ("auc", 0.89, 0.889),
        ("recall_male", 0.77, 0.769),
        ("recall_female", 0.81, 0.0),
        ("ece", 0.05, 0.051),
        ("auc", 0.89, float("nan")),
        ("latency_p50_ms", 5.0, 5.1),
    ],
)
def test_each_metric_has_a_tolerance(metric: str, tolerated: float, rejected: float) -> None:
    assert regressions(SERVED, {**SERVED, metric: tolerated}) == []
    (fault,) = regressions(SERVED, {**SERVED, metric: rejected})
    assert fault.split(" (tolerance")[0].startswith(metric.split("_p50")[0])


def test_better_version_has_no_regressions() -> None:
    better = {"accuracy": 0.99, "auc": 0.99, "recall_male": 0.99, "recall_female": 0.99, "ece": 0, "latency_p50_ms": 1}
    assert regressions(SERVED, {**SERVED, **better}) == []


def test_metric_without_value_is_a_regression() -> None:
    assert regressions({**SERVED, "auc": None}, SERVED) == [
        "no auc, because the held-out users, or the decided ones, lack a gender"
    ]


@pytest.mark.parametrize("shift", [-0.02, 0.02])
def test_undecidable_users_do_not_count_as_recall(shift: float) -> None:
    labels = np.array([0, 1] * 50, float)
    p_female = np.where(np.arange(100) < 60, 0.5 + shift, np.where(labels == 1, 0.9, 0.1))
    p_female[-1] = 0.2
    measured = metrics(labels, p_female)
    assert (measured["recall_male"], measured["recall_female"]) == (1.0, 0.95)
    assert measured["users"] == 100


def test_without_decided_users_there_is_no_recall() -> None:
    measured = metrics(np.array([0.0, 1.0]), np.array([0.49, 0.51]))
    assert (measured["recall_male"], measured["recall_female"], measured["accuracy"]) == (None, None, 1.0)


def test_comparison_runs_both_models_on_the_same_users(tmp_path: Path, users: Users) -> None:
    (tmp_path / "mobilenet").mkdir()
    for version in (2, 8):
        publish(tmp_path, version)
    file = {version: tmp_path / "mobilenet" / str(version) / "model.onnx" for version in (2, 8)}
    inputs = users.inputs((IMAGE, TOKENS, PRESENT))
    served, new = Prepared(str(file[2]), inputs), Prepared(file[8].read_bytes(), inputs)
    comparison = compare(served, new, users.female[:, 0])
    assert [comparison[model]["recall_female"] for model in ("served", "new")] == [0, 1]
    assert any(fault.startswith("recall_male 0.000 against 1.000") for fault in comparison["regressions"])
