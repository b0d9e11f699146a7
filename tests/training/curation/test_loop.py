"""The loop's bookkeeping, with networks that are drawn scores: who is asked what, what is kept, what is reported."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.arrays import FloatsEN, IntsN
from training.curation import comparisons, rounds
from training.curation.comparisons import ALL, BOTH, O2U, RANDOM
from training.curation.frozen import UpperBlocks
from training.curation.loop import claim, config_of, run, study_of
from training.curation.loop_report import chart, markdown
from training.curation.multitask import Architecture
from training.curation.network import Trunk
from training.curation.results import Judge, content
from training.curation.rounds import PREDICTED, band, choose
from training.curation.runs import POOL, Runs, Trained
from training.curation.sets import Drawn, Seen
from training.curation.study import Config, Labels, Study
from training.engine.errors import ConfigError
from training.synthetic.defects import ATTRIBUTES

CONFIG = Config(trunk=Trunk(8, 8), retrieved=10, first_recall=20, recalled=60, rounds=1, error_rate=0.1)


def drawn(count: int, seed: int) -> Drawn:
    labels = (np.random.default_rng(seed).random((count, len(ATTRIBUTES))) < 0.3).astype(np.int8)
    return Drawn(np.zeros((count, 8, 8, 3), np.uint8), labels, np.arange(count))


SETS = {name: drawn(count, seed) for seed, (name, count) in enumerate({"start": 30, "pool": 300}.items())}
HELD_OUT = {name: drawn(200, seed) for seed, name in enumerate(("validation", "test"), 2)}
TEST = HELD_OUT["test"]
JUDGE = Judge(HELD_OUT["validation"].truth, TEST.truth, TEST.identities, TEST.labels, 0.01)

ABOUT = {
    "config": {**vars(CONFIG), "trunk": vars(CONFIG.trunk)},
    "sets": {"pool": {"pictures": 300, "positives": 90}},
    "seeds": [1],
    "planned_seeds": 3,
    "prevalence": 0.01,
}


class DrawnScores(Runs):
    """In place of training: scores that know the truth a little."""

    def train(self, name: str, fit: Any, trunk: Architecture, start: Trained | None = None, heads: int = 1) -> Trained:
        rng = np.random.default_rng(len(name))
        truth = {**{key: each.truth for key, each in HELD_OUT.items()}, POOL: pool_truth()}
        scores = {key: 1 / (1 + np.exp(-rng.normal(2.0 * each))) for key, each in truth.items()}
        if heads > 1:
            scores = {key: np.tile(each[:, None], heads) for key, each in scores.items()}
        extra = {**scores, PREDICTED: rng.random(len(pool_truth())), "cpu_s": np.array(1.0)}
        return Trained(trunk, {}, self.keep(name, lambda: extra))


def pool_truth() -> Any:
    return np.concatenate([each.truth for each in SETS.values()])


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(rounds, "cyclic_losses", losses)
    monkeypatch.setattr(Trained, "network", lambda _: None)
    monkeypatch.setattr(comparisons, "_features", lambda _, pictures: np.eye(len(pictures), 4))
    pictures = np.concatenate([each.pixels for each in SETS.values()])
    seen = Seen(pictures, HELD_OUT["validation"].pixels, TEST.pixels, initial={})
    plain = study_of({**SETS, **HELD_OUT}, seen, np.eye(330, 4), CONFIG, 1, tmp_path)
    return replace(plain, runs=DrawnScores(plain.runs.folder, {}, 1))


def losses(network: Any, pictures: Any, labels: Any, epochs: int, seed: int) -> FloatsEN:
    return np.random.default_rng(seed).random((epochs, len(labels)))


def test_loop_reports_all_parts(study: Study) -> None:
    *_, outcome = run(study)
    results = content(JUDGE, [outcome])
    assert results["not_measured"] == []
    assert [each["labels"] for each in results["rounds"]] == [60, 60 + len(choice(study))]
    strategies = results["selected"]["strategies"]
    assert list(strategies) == list(CONFIG.strategies)
    assert strategies[ALL]["labels"] == 60
    assert strategies[BOTH]["labels"] == strategies[RANDOM]["labels"] == pytest.approx(18, abs=3)
    assert results["cleaned"]["wrong_share"] == pytest.approx(0.1, abs=0.1)
    assert 0 <= results["cleaned"]["wrong_of_suspected"][O2U] <= 1
    json.dumps(results, allow_nan=False)
    assert markdown({**ABOUT, **results}).count("\n## ") == 8
    del strategies[ALL]
    assert markdown({**ABOUT, **results}).count("\n## ") == 8


def test_parts_that_are_not_there_are_named(study: Study) -> None:
    """The results are written after each part."""
    parts = [content(JUDGE, [outcome]) for outcome in run(study)]
    assert [len(part["not_measured"]) for part in parts] == [6, 5, 4, 3, 2, 1, 0]
    assert parts[1]["not_measured"] == ["selected", "cleaned", "seconds", "attention", "tasks"]
    assert markdown({**ABOUT, **parts[0]}).count("\n## ") == 2
    assert all(len(chart({**ABOUT, **part}).axes) == 2 for part in parts[::6])


def choice(study: Study) -> IntsN:
    """What round 2 asked."""
    with np.load(study.runs.folder / "labels_2.npz") as kept:
        answers: IntsN = kept["answers"]
    return answers


def test_what_is_complete_is_read(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, first = run(study)

    def no_more(self: Runs, name: str, compute: Callable[[], Any]) -> Any:
        return dict(np.load(self.folder / f"{name}.npz"))

    monkeypatch.setattr(Runs, "keep", no_more)
    *_, again = run(study)
    np.testing.assert_array_equal(again.suspected[O2U], first.suspected[O2U])
    assert [count for count, _, _ in again.rounds] == [count for count, _, _ in first.rounds]


def test_no_picture_is_asked_twice(study: Study) -> None:
    list(run(study))
    with np.load(study.runs.folder / "labels_2.npz") as kept:
        assert len(set(kept["rows"])) == len(kept["rows"])


def test_an_interrupted_write_is_no_result(tmp_path: Path) -> None:
    runs = Runs(tmp_path, {}, 1)

    def interrupted() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.keep("labels", interrupted)
    assert runs.keep("labels", lambda: {"rows": np.arange(3)})["rows"].tolist() == [0, 1, 2]


def test_choice_is_the_union_of_band_and_predicted_losses() -> None:
    p, predicted = np.linspace(0, 1, 100), np.roll(np.arange(100.0), 50)
    chosen = choose(p, predicted, np.random.default_rng(0))
    assert {*band(p)} == {0, 1, 2, 3, 96, 97, 98, 99}
    assert {*chosen} == {*band(p)} | {*range(25, 50)}


def test_corrected_labels() -> None:
    labels = Labels(np.array([7, 3]), np.array([1, 0])).plus(np.array([5]), np.array([1]))
    assert labels.corrected(np.array([1, 2]), np.array([1, 0])).given.tolist() == [1, 1, 0]
    assert labels.column.tolist() == [[1], [0], [1]]


def test_trainings_of_another_config_are_refused(tmp_path: Path) -> None:
    claim(tmp_path, CONFIG)
    claim(tmp_path, replace(CONFIG, strategies=("random",)))
    with pytest.raises(ConfigError, match=r"config.steps was 400, is now 3000; use another --out"):
        claim(tmp_path, replace(CONFIG, steps=3000))
    (tmp_path / "weights.npz").write_bytes(b"other")
    with pytest.raises(ConfigError, match="weights was None"):
        claim(tmp_path, CONFIG, weights=tmp_path / "weights.npz")


def test_pretrained_networks_of_the_cascade_differ_in_depth() -> None:
    config = config_of(64, 400, pretrained=True, strategies=("random",))
    assert (config.trunk, config.second) == (UpperBlocks(64), UpperBlocks(64, last=11))
    assert config_of(64, 400, pretrained=False, strategies=()).trunk == Trunk(64)
