from typing import Any

from conversion.card_goals import Measured
from conversion.model_card import card, table, unseen_sources
from conversion.version_tables import comparison, fairness, recall_gaps
from tests.support.markdown import cells


def report(seed: int, **slices: dict[str, Any]) -> dict[str, Any]:
    return {
        "date": "2026-01-02",
        "machine": "2 cores",
        "training": {"config": {"seed": seed, "precision": 0.95}},
        "int8_test": slices,
        "unknown_below": 0.5 + seed / 10,
        "int8_test_decided": {
            "all": {"share": 0.7, "summary": metrics(0.961)},
            "both": {"share": 0.0, "summary": None},
        },
        "unseen_sources": {
            "fp32": {"users": 9, "auc": 0.95, "log_loss": 0.3},
            "int8": {"users": 9, "auc": 0.94, "log_loss": 0.31},
            "int8_flips": 0.02,
        },
        "int8_flips": 0.0078,
        "int8_likelier_changed": 0.0149,
        "parity_max_difference": 1.6e-6,
        "fp32_bytes": 34_826_922,
        "int8_bytes": 10_019_616,
    }


def metrics(accuracy: float, **more: float) -> dict[str, Any]:
    interval = {"accuracy_low": 0.8, "accuracy_high": 0.95, "recall_female": 0.91, "recall_male": 0.93}
    return {"users": 40, "accuracy": accuracy, "auc": 0.9, "ece": 0.02} | interval | more


def trusted(auc: float) -> dict[str, Any]:
    values = {
        **{
            "accuracy": 0.91,
            "accuracy_at_90": 0.95,
            "accuracy_at_80": 0.97,
            "auc": auc,
            "macro_f1": 0.9,
            "brier": 0.07,
        },
        **{"recall_gap": -0.02, "balanced_ece": 0.031, "calibration_in_the_large": 0.013, "surely_wrong": 0.012},
    }
    ends = {f"{name}{end}": value for name, value in values.items() for end in ("_low", "_high")}
    return {"users": 90, "identities": 70, **values, **ends}


FLOWERS = {"neutral": {"users": 60, "mean": 0.48, "spread": 0.071, "confidence": 0.55}}
FACES = ("source faces_fairface", "East and South-East Asian", "origin East Asian")
SET = {
    "all": {"one 2": trusted(0.9), "one 3": trusted(0.95), "other 1": trusted(0.8)},
    "source faces": {"one 2": trusted(0.91), "one 3": trusted(0.96), "other 1": trusted(0.81)},
    "source flowers": {"one 2": FLOWERS, "one 3": FLOWERS, "other 1": FLOWERS},
    "origin Black": {"one 2": trusted(0.92), "one 3": trusted(0.97), "other 1": trusted(0.82)},
}


def test_versions_stand_beside_each_other() -> None:
    rows = cells(comparison({"pictures": SET}))
    assert rows[0] == ["", "users", "one 2", "one 3", "other 1"]
    expected = [
        ["pictures: AUC", "90 (70 identities)", "0.900 (0.900 to 0.900)", "0.950 (0.950 to 0.950)"],
        ["pictures, faces: AUC", "90 (70 identities)", "0.910 (0.910 to 0.910)", "0.960 (0.960 to 0.960)"],
        ["pictures, flowers, no gender shown: P(female)", "60", "0.48 ± 0.07", "0.48 ± 0.07"],
    ]
    assert [row for row in expected if row not in [row[:4] for row in rows]] == []
    assert [row for row in rows if "Black" in row[0]] == []


def test_fairness_shows_the_newest_version_of_each_backbone() -> None:
    rows = cells(fairness(SET))
    assert rows[0] == ["", "pictures", "", "one 3", "other 1"]
    assert ["origin Black", "90 (70 identities)", "accuracy", *["91.0% (91.0% to 91.0%)"] * 2] in rows
    assert {row[0] for row in rows[1:]} == {"origin Black"}


def test_gaps_are_the_groups_whose_interval_excludes_zero() -> None:
    def group(low: float, high: float) -> dict[str, dict[str, Any]]:
        return {"one 1": {**trusted(0.9), "recall_gap_low": low, "recall_gap_high": high}}

    groups = {
        "all": group(-1, 1),
        "source x": group(-1, -0.5),
        "age 20": group(0.1, 0.2),
        "age 40-49": group(-1, 0.1),
    }
    behind = groups | {"origin A": group(-0.3, -0.1), "origin B": group(-0.2, -0.1)}
    assert recall_gaps(behind) == (
        "- `one 1` recognizes women less often than men in: origin A, origin B; men less often than women in: age 20."
    )
    assert "women less often than men in: no group;" in recall_gaps(groups)


def test_accuracy_is_scored_by_the_posterior_if_there_is_one() -> None:
    scored = {"expected_accuracy": 0.83, "expected_accuracy_low": 0.81, "expected_accuracy_high": 0.85}
    one = report(1, all=metrics(0.9, ceiling=0.87, **scored))
    assert ["accuracy, all", "87.0%", "83.0% (81.0% to 85.0%, 40 users)"] in cells(table({"one": one}))


def test_users_of_one_gender_have_no_auc() -> None:
    figures = {"users": 9, "auc": None, "log_loss": 0.3}
    report_of_one = {"unseen_sources": {"fp32": figures, "int8": figures, "int8_flips": 0.02}}
    assert ["one", "9", "", "", "0.300", "0.300", "2.0%"] in cells(unseen_sources({"one": report_of_one}))


def test_equal_resamples_are_no_interval() -> None:
    one = report(1, all=metrics(0.9), few=metrics(1.0, accuracy_low=1.0, accuracy_high=1.0))
    assert ["accuracy, few", "", "100.0% (no interval, 40 users)"] in cells(table({"one": one}))


def test_table_includes_slices_that_one_model_lacks() -> None:
    one = report(1, all=metrics(0.9, ceiling=0.925), drawn=metrics(0.85))
    rows = cells(table({"one": one, "other": report(2, all=metrics(0.91, ceiling=0.925))}))
    assert rows[0] == ["", "ceiling", "one", "other"]
    expected = [
        ["accuracy, all", "92.5%", "90.0% (80.0% to 95.0%, 40 users)", "91.0% (80.0% to 95.0%, 40 users)"],
        ["accuracy, drawn", "", "85.0% (80.0% to 95.0%, 40 users)", "no such users"],
        ["recall of women / men, all", "", "91.0% / 93.0%", "91.0% / 93.0%"],
        ["fp32 / int8, MB", "", "34.8 / 10.0", "34.8 / 10.0"],
        ["training seed", "", "1", "2"],
    ]
    assert [row for row in expected if row not in rows] == []


def test_card_fills_template() -> None:
    measured = metrics(0.8, share_of_ceiling=0.92, determinable_accuracy=0.93, new_nickname_accuracy=0.7)
    row = {"article": "67 %", "epochs": 3, "seeds": [1], "accuracy_by_seed": [0.8], **measured}
    ablation = {"rows": {"concat": row}}
    reports = {"one": report(1, all=metrics(0.9)), "other": report(2, all=metrics(0.91))}
    consistency = {"theme": {"fp32": 0.5, "int8": 0.49}}
    encoder = {"gate_pictures": 692, "consistency": consistency, "int8_cosine": {"mean": 0.98}}
    found = {"auc": 0.99, "positives": 50, "found": 40, "negatives": 900, "false": 0, "precision_95": [0.2, 1.0]}
    absent = {"auc": None, "positives": 0, "found": 0, "negatives": 800, "false": 2, "recall": None}
    screener = {
        "by_manifest": {
            "drawn": {"good_pictures": 700, "false_refusals": 0.0029, "found": {"blurred": found}},
            "photos": {"good_pictures": 600, "false_refusals": 0.01, "found": {"error_page": absent}},
        }
    }
    times = {"before_ms": 7.469, "after_ms": 4.372, "ratio": 0.585, "ratio_low": 0.55, "ratio_high": 0.61}
    costs = [{"backbone": "one", "batch": 4, "before_version": "2", "after_version": "3", **times}]
    face = {"users": 9, "auc": 0.93, "recall_female": 0.9, "recall_male": 0.81}
    views = {view: dict.fromkeys(FACES, face) for view in ("clean", "small", "blurred")}
    # The other model's image tower was not measured, and its manifest has no unseen source.
    del reports["other"]["unseen_sources"]
    results = Measured({"pictures": SET}, costs, {"one": views}, {}, reports)
    text = card(results, ablation, encoder, screener)
    rows = cells(text)
    assert ["one 3 against 2", "4", "7.47", "4.37", "0.58 (0.55 to 0.61)"] in rows
    assert ["one", "0.6", "all", "70.0%", "96.1%", "91.0%", "93.0%"] in rows
    assert ["one", "0.6", "both", "0.0%"] in [row[:4] for row in rows]
    assert ["small", "East Asian (9)", "0.930", "90% / 81%"] in rows
    assert ["one", "9", "0.950", "0.940", "0.300", "0.310", "2.0%"] in rows
    assert ["concat", "67 %", "80.0% (80.0% to 95.0%)", "92.0%"] in [row[:4] for row in rows]
    assert ["official portraits, US", "MIT"] in [row[:2] for row in rows]
    assert ["theme", "0.500", "0.490"] in rows
    assert ["drawn", "`blurred`", "0.990", "40 of 50", "0 of 900", "20% to 100%"] in rows
    assert ["drawn", "any, of good pictures", "", "", "0.29% of 700", ""] in rows
    assert ["photos", "`error_page`", "", "0 of 0", "2 of 800", ""] in rows
    assert "$" not in text
