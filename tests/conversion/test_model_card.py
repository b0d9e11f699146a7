"""The model card: one column a published model, every slice that any of them was measured on."""

from typing import Any

from conversion.model_card import card, table

ENOUGH = {"share_of_ceiling": 0.92, "determinable_accuracy": 0.93}


def report(seed: int, **slices: dict[str, Any]) -> dict[str, Any]:
    return {
        "date": "2026-01-02",
        "machine": "2 cores",
        "training": {"config": {"seed": seed, "precision": 0.95}},
        "int8_test": slices,
        "unknown_below": 0.5 + seed / 10,
        "int8_test_decided": {"share": 0.7, "summary": measured(0.961)},
        "int8_flips": 0.0078,
        "int8_likelier_changed": 0.0149,
        "parity_max_difference": 1.6e-6,
        "fp32_bytes": 34_826_922,
        "int8_bytes": 10_019_616,
    }


def measured(accuracy: float) -> dict[str, Any]:
    interval = {"accuracy_low": 0.8, "accuracy_high": 0.95, "recall_female": 0.91, "recall_male": 0.93}
    return {"users": 40, "accuracy": accuracy, "auc": 0.9, "ece": 0.02} | interval


def test_a_slice_that_one_model_lacks() -> None:
    possible = {"ceiling": 0.925}
    one = report(1, all=measured(0.9) | possible, drawn=measured(0.85))
    text = table({"one": one, "other": report(2, all=measured(0.91) | possible)})
    lines = text.splitlines()
    assert lines[:2] == ["|  | possible | one | other |", "| --- | --- | --- | --- |"]
    assert "| accuracy, all | 92.5% | 90.0% (80.0% to 95.0%, 40 users) | 91.0% (80.0% to 95.0%, 40 users) |" in lines
    assert "| accuracy, drawn |  | 85.0% (80.0% to 95.0%, 40 users) | no such users |" in lines
    assert "| decisions (male, female, unknown) that int8 changed |  | 0.78% | 0.78% |" in lines
    assert "| fp32 / int8, MB |  | 34.8 / 10.0 | 34.8 / 10.0 |" in lines
    assert "| training seed |  | 1 | 2 |" in lines
    assert "| recall of women / men, all |  | 91.0% / 93.0% | 91.0% / 93.0% |" in lines


def test_the_card() -> None:
    ablation = {"rows": {"concat": {"article": "67 %", "seeds": {"1": measured(0.8) | ENOUGH}}}}
    text = card({"one": report(1, all=measured(0.9)), "other": report(2, all=measured(0.91))}, ablation)
    assert "`unknown` below a probability\nof 0.7;" in text
    assert "at least 95% of those" in text
    assert "| one | 0.6 | 70.0% | 96.1% | 91.0% | 93.0% |" in text
    assert "| concat | 67 % | 80.0% (65.2% to 89.5%) | 92.0% |" in text
    assert "| official portraits | MIT | CivilServiceUSA/" in text
    assert "$" not in text
