"""Measure the networks of all seeds: the content of `results/curation.json`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ..arrays import BoolsN, FloatsN, IntsN, LabelsNA
from ..evaluation.intervals import Estimate, estimate
from ..synthetic.defects import ATTRIBUTES
from .cascade import Thresholds, fires, tune
from .comparisons import ALONE, RIGHT, SHARED
from .prevalence import curve, precision_at
from .runs import Trained

# Precision is measured at this recall, and recall at this precision, both at the true prevalence.
RECALL: Final = 0.5
PRECISION: Final = 0.9
SINGLE: Final = "first network"
_DRAWS: Final = 200

# Of some pictures: scores, or verdicts.
Scores = FloatsN | BoolsN
# Of the truth and the scores of some pictures.
Metric = Callable[[BoolsN, Any], float]


@dataclass(frozen=True)
class Outcome:
    """What one seed of the loop has given so far; a part that is not there yet is empty.

    Args:
        few_shot: Precision at each k, and the share of positives in the pool.
        cold: The networks of the cold start by name.
        rounds: After each round: labels, positives among them, and the network.
        selected: Labels added and the network, by strategy.
        wrong: Which of the labels are wrong, `[N]`.
        suspected: Which positions are suspected, by method.
        cleaned: The networks trained on noisy, cleaned and right labels.
        seconds: The second networks of the cascade by name; the first is that of the last round.
        attention: The network with attention, trained as that on right labels.
        tasks: The network for all attributes, and those for one each.
    """

    few_shot: Mapping[str, Any]
    cold: Mapping[str, Trained]
    rounds: Sequence[tuple[int, int, Trained]] = ()
    selected: Mapping[str, tuple[int, Trained]] = field(default_factory=dict)
    wrong: BoolsN | None = None
    suspected: Mapping[str, IntsN] = field(default_factory=dict)
    cleaned: Mapping[str, Trained] = field(default_factory=dict)
    seconds: Mapping[str, Trained] = field(default_factory=dict)
    attention: Trained | None = None
    tasks: Mapping[str, Trained] = field(default_factory=dict)

    @property
    def first(self) -> Trained:
        """Return the network of the last round."""
        return self.rounds[-1][-1]


@dataclass(frozen=True)
class Judge:
    """Measures networks at the true prevalence.

    Args:
        validation: Whether each validation picture is positive.
        test: Whether each test picture is positive.
        identities: Test pictures of one identity are resampled together.
        attributes: Labels of test pictures, `[N, A]`.
        prevalence: π.
    """

    validation: BoolsN
    test: BoolsN
    identities: IntsN
    attributes: LabelsNA
    prevalence: float

    def row(self, networks: Sequence[Trained]) -> dict[str, float]:
        """Return the measures of the networks of all seeds, with intervals."""
        scores = [each.extra["test"] for each in networks]
        return self._all(_ranking_metrics(self.prevalence), scores)

    def gain(self, networks: Sequence[Trained], others: Sequence[Trained]) -> dict[str, float]:
        """Return the difference in PR-AUC of networks and others of the same seeds."""
        metric = _ranking_metrics(self.prevalence)["pr_auc"]
        pairs = [(each.extra["test"], other.extra["test"]) for each, other in zip(networks, others, strict=True)]

        def statistic(rows: IntsN) -> FloatsN:
            return np.array([_of(metric, self.test, a, rows) - _of(metric, self.test, b, rows) for a, b in pairs])

        return estimate(statistic, self.identities, _DRAWS).rounded("pr_auc_gain")

    def task(self, attribute: str, alone: Sequence[Trained], shared: Sequence[Trained]) -> dict[str, float]:
        """Return the PR-AUC of networks for one attribute and of networks for all, at the share of the test set."""
        column = ATTRIBUTES.index(attribute)
        known = self.attributes[:, column] >= 0
        positive = self.attributes[known, column] == 1
        scores = {
            "alone": [each.extra["test"][known] for each in alone],
            "shared": [each.extra["test"][known, column] for each in shared],
        }

        def pr_auc(name: str, rows: IntsN) -> FloatsN:
            def of(truth: BoolsN, values: FloatsN) -> float:
                return curve(truth, values, float(positive.mean())).average_precision()

            return np.array([_of(of, positive, each, rows) for each in scores[name]])

        statistics: dict[str, Callable[[IntsN], FloatsN]] = {
            "alone": lambda rows: pr_auc("alone", rows),
            "shared": lambda rows: pr_auc("shared", rows),
            "gain": lambda rows: pr_auc("shared", rows) - pr_auc("alone", rows),
        }
        values = {"share": round(float(positive.mean()), 4)}
        for name, statistic in statistics.items():
            values |= estimate(statistic, self.identities[known], _DRAWS).rounded(name)
        return values

    def cascade(self, first: Sequence[Trained], seconds: Sequence[Trained]) -> dict[str, Any]:
        """Return precision and recall of cascades, and the share of negatives that reach the second network."""
        both = list(zip(first, seconds, strict=True))
        at_half = [(a.extra["test"] >= 0.5) & (b.extra["test"] >= 0.5) for a, b in both]
        tuned = [self._tuned(a, b) for a, b in both]
        found = [fires(a.extra["test"], b.extra["test"], each) for (a, b), each in zip(both, tuned, strict=True)]
        calls = [np.mean(a.extra["test"][~self.test] >= each.first) for a, each in zip(first, tuned, strict=True)]
        return {**self._verdicts(at_half, found), "second_calls": round(float(np.mean(calls)), 4)}

    def _tuned(self, first: Trained, second: Trained) -> Thresholds:
        scores = first.extra["validation"], second.extra["validation"]
        # If no thresholds reach the precision, nothing is positive.
        return tune(*scores, self.validation, PRECISION, self.prevalence) or Thresholds(np.inf, np.inf, np.nan, 0.0)

    def single(self, networks: Sequence[Trained]) -> dict[str, Any]:
        """Return precision and recall of single networks."""
        thresholds = [
            curve(self.validation, each.extra["validation"], self.prevalence).at_precision(PRECISION).threshold
            for each in networks
        ]
        tuned = [each.extra["test"] >= threshold for each, threshold in zip(networks, thresholds, strict=True)]
        return self._verdicts([each.extra["test"] >= 0.5 for each in networks], tuned)

    def _verdicts(self, at_half: Sequence[BoolsN], tuned: Sequence[BoolsN]) -> dict[str, Any]:
        metrics = _verdict_metrics(self.prevalence)
        return {"at_half": self._all(metrics, at_half), "tuned": self._all(metrics, tuned)}

    def _all(self, metrics: Mapping[str, Metric], scores: Sequence[Scores]) -> dict[str, float]:
        values: dict[str, float] = {}
        for name, metric in metrics.items():
            values |= self._estimate(metric, scores).rounded(name)
        return values

    def _estimate(self, metric: Metric, scores: Sequence[Scores]) -> Estimate:
        def statistic(rows: IntsN) -> FloatsN:
            return np.array([_of(metric, self.test, each, rows) for each in scores])

        return estimate(statistic, self.identities, _DRAWS)


def content(judge: Judge, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the measures of the parts of the loop that all seeds have."""
    parts: dict[str, Callable[[], Any]] = {
        "few_shot": lambda: _few_shot(outcomes),
        "cold": lambda: _rows(judge, [each.cold for each in outcomes]),
        "rounds": lambda: [_round(judge, outcomes, number) for number in range(len(outcomes[0].rounds))],
        "selected": lambda: _selection(judge, outcomes),
        "cleaned": lambda: _cleaning(judge, outcomes),
        "seconds": lambda: _cascades(judge, outcomes),
        "attention": lambda: _attention(judge, outcomes),
        "tasks": lambda: _tasks(judge, outcomes),
    }
    there = {name: part() for name, part in parts.items() if all(getattr(each, name) for each in outcomes)}
    return {**there, "not_measured": [name for name in parts if name not in there], "cpu_s": _seconds(outcomes)}


def _few_shot(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "precision": np.mean([each.few_shot["precision"] for each in outcomes], axis=0).round(3).tolist(),
        "share_of_positives": round(float(np.mean([each.few_shot["base"] for each in outcomes])), 4),
    }


def _rows(judge: Judge, networks: Sequence[Mapping[str, Trained]]) -> dict[str, dict[str, float]]:
    """Return the measures of each named network, and its gain over the first name."""
    first, *_ = networks[0]
    rows = {}
    for name in networks[0]:
        ours = [each[name] for each in networks]
        rows[name] = {**judge.row(ours), **judge.gain(ours, [each[first] for each in networks])}
    return rows


def _round(judge: Judge, outcomes: Sequence[Outcome], number: int) -> dict[str, Any]:
    rounds = [each.rounds[number] for each in outcomes]
    counts = np.mean([(labels, positives) for labels, positives, _ in rounds], axis=0).round().astype(int)
    return {"labels": int(counts[0]), "positives": int(counts[1]), **judge.row([network for _, _, network in rounds])}


def _selection(judge: Judge, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    before = [each.rounds[0][-1] for each in outcomes]
    rows = {}
    for name in outcomes[0].selected:
        networks = [each.selected[name][1] for each in outcomes]
        added = round(float(np.mean([each.selected[name][0] for each in outcomes])))
        rows[name] = {"labels": added, **judge.row(networks), **judge.gain(networks, before)}
    return {"before": judge.row(before), "strategies": rows}


def _cleaning(judge: Judge, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    wrong = [each.wrong for each in outcomes if each.wrong is not None]
    names = [name for name in outcomes[0].suspected if all(name in each.suspected for each in outcomes)]
    found = {
        name: np.mean([w[each.suspected[name]].mean() for w, each in zip(wrong, outcomes, strict=True)])
        for name in names
    }
    counts = {name: np.mean([len(each.suspected[name]) for each in outcomes]) for name in names}
    return {
        "labels": round(float(np.mean([len(each) for each in wrong]))),
        "wrong_share": round(float(np.mean([each.mean() for each in wrong])), 4),
        "wrong_of_suspected": {name: round(float(each), 4) for name, each in found.items()},
        "suspected": {name: round(float(each)) for name, each in counts.items()},
        "networks": _rows(judge, [each.cleaned for each in outcomes]),
    }


def _attention(judge: Judge, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    attentive = [each.attention for each in outcomes if each.attention]
    plain = [each.cleaned[RIGHT] for each in outcomes]
    return {"with": judge.row(attentive), "without": judge.row(plain), **judge.gain(attentive, plain)}


def _tasks(judge: Judge, outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    shared = [each.tasks[SHARED] for each in outcomes]
    return {name: judge.task(name, [each.tasks[name] for each in outcomes], shared) for name in ALONE}


def _cascades(judge: Judge, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    first = [each.first for each in outcomes]
    return {
        SINGLE: judge.single(first),
        **{name: judge.cascade(first, [each.seconds[name] for each in outcomes]) for name in outcomes[0].seconds},
    }


def _seconds(outcomes: Sequence[Outcome]) -> list[int]:
    """Return the processor time of the trainings of each seed."""
    return [
        round(
            sum(
                float(network.extra["cpu_s"])
                for network in (
                    *each.cold.values(),
                    *(network for _, _, network in each.rounds),
                    *each.cleaned.values(),
                    *each.seconds.values(),
                    *(network for _, network in each.selected.values()),
                    *([each.attention] if each.attention else []),
                    *each.tasks.values(),
                )
            )
        )
        for each in outcomes
    ]


def _ranking_metrics(prevalence: float) -> dict[str, Metric]:
    return {
        "pr_auc": lambda truth, scores: curve(truth, scores, prevalence).average_precision(),
        "precision_at_recall": lambda truth, scores: curve(truth, scores, prevalence).at_recall(RECALL).precision,
        "recall_at_precision": lambda truth, scores: curve(truth, scores, prevalence).at_precision(PRECISION).recall,
    }


def _verdict_metrics(prevalence: float) -> dict[str, Metric]:
    def precision(truth: BoolsN, verdicts: FloatsN) -> float:
        # Nothing found counts as nothing right.
        if not verdicts.any():
            return 0.0
        return precision_at(float(verdicts[truth].mean()), float(verdicts[~truth].mean()), prevalence)

    return {"precision": precision, "recall": lambda truth, verdicts: float(verdicts[truth].mean())}


def _of(metric: Metric, truth: BoolsN, scores: Scores, rows: IntsN) -> float:
    """Return a metric on some rows, NaN if they have one class only."""
    drawn = truth[rows]
    return metric(drawn, scores[rows]) if drawn.any() and not drawn.all() else float("nan")
