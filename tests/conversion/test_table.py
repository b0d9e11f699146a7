"""The table of the published models: one column a model, every slice that any of them was measured on."""

from typing import Any

from conversion.table import table


def report(seed: int, **slices: dict[str, Any]) -> dict[str, Any]:
    return {
        "date": "2026-01-02",
        "machine": "2 cores",
        "training": {"config": {"seed": seed}},
        "int8_test": slices,
        "int8_flips": 0.0078,
        "parity_max_difference": 1.6e-6,
        "fp32_bytes": 34_826_922,
        "int8_bytes": 10_019_616,
    }


def measured(accuracy: float) -> dict[str, Any]:
    return {"users": 40, "accuracy": accuracy, "accuracy_low": 0.8, "accuracy_high": 0.95, "auc": 0.9, "ece": 0.02}


def test_a_slice_that_one_model_lacks() -> None:
    text = table({"one": report(1, all=measured(0.9), drawn=measured(0.85)), "other": report(2, all=measured(0.91))})
    lines = text.splitlines()
    assert lines[:2] == ["|  | one | other |", "| --- | --- | --- |"]
    assert "| accuracy, all | 90.0% (80.0% to 95.0%, 40 users) | 91.0% (80.0% to 95.0%, 40 users) |" in lines
    assert "| accuracy, drawn | 85.0% (80.0% to 95.0%, 40 users) | no such users |" in lines
    assert "| decisions that int8 changed | 0.78% | 0.78% |" in lines
    assert "| fp32 / int8, MB | 34.8 / 10.0 | 34.8 / 10.0 |" in lines
    assert "| training seed | 1 | 2 |" in lines
