"""The closed loop of ranking as one command.

    python -m quickstart.loop          # some minutes; writes results/loop.{json,md} and results/ab_ranking.json

A copy of the model repository is served. Users of a preference world visit, whose tastes are not those that the shipped
ranker was trained on; the SDK ranks with exploration and logs what was shown; the world decides what is liked. A ranker
is trained on these logs, published, and rolled out under load. Before it is promoted, its value is estimated from the
lists that its predecessor showed on a further day, and an A/B test compares both. The world knows the truth.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import pandas as pd

from genderclient import Client, Experiment
from server.catalog import Catalog
from server.launch.process import ROOT, exit_on_stop_signals, running_triton
from training.report import markdown_table, write_report
from training.synthetic.preference_sessions import Sessions

from . import value
from .commands import CommandFailed, Load, run, under_load
from .exposures import SHOWN, Shown, day_log, serve, user_of
from .town import Town, build_town

ENSEMBLE: Final = "rank_embedding"
SERVER_FLAGS: Final = ("--model-control-mode=explicit", f"--load-model={ENSEMBLE}")
# Days whose logs are trained on. The estimate uses the lists of the next day, and the new ranker serves the one after.
DAYS: Final = 3


def main() -> None:
    """Run the loop."""
    parser = argparse.ArgumentParser(
        "python -m quickstart.loop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visits", type=int, default=2000, help="visits a day; default: %(default)s")
    parser.add_argument("--temperature", type=float, default=0.5, help="of the new ranker; default: %(default)s")
    parser.add_argument("--seed", type=int, default=2, help="of the world; default: %(default)s")
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    args = parser.parse_args()
    exit_on_stop_signals()
    with tempfile.TemporaryDirectory(prefix="loop-") as folder:
        try:
            measured = Loop(Path(folder), args.visits, args.temperature, args.seed, args.results).run()
        except CommandFailed as exc:
            raise SystemExit(f"loop: {exc}") from exc
    file = args.results / "loop.json"
    write_report(file, seed=args.seed, visits=args.visits, days=DAYS, shown=SHOWN, **measured)
    file.with_suffix(".md").write_text(document(json.loads(file.read_text(encoding="utf-8"))), encoding="utf-8")
    print(file.with_suffix(".md").read_text(encoding="utf-8"))


class Loop:
    """One pass through the loop.

    Args:
        folder: For the copy of the repository, logs and runs.
        visits: Visits a day.
        temperature: Of the new ranker's lists.
        seed: Of the world.
        results: Folder for the report of the A/B test.
    """

    def __init__(self, folder: Path, visits: int, temperature: float, seed: int, results: Path) -> None:
        self.folder, self.results = folder, results
        self.visits, self.temperature, self.seed = visits, temperature, seed
        self.repository = folder / "model_repository"
        self.seconds: dict[str, float] = {}

    def run(self) -> dict[str, Any]:
        """Return what was measured.

        Raises:
            CommandFailed: A command of the loop failed.
        """
        shutil.copytree(ROOT / "model_repository", self.repository)
        gallery = Catalog(self.repository).step_folder(ENSEMBLE, "gallery")
        town = build_town(gallery, self.seed)
        with running_triton(self.repository, *SERVER_FLAGS, timeout_s=300) as server:
            url = f"grpc://{server.grpc_url}"
            with self.timed("exposures"):
                for day in range(DAYS):
                    self.expose(town, url, day, self.folder / "logs")
                visits, shown = self.expose(town, url, DAYS, self.folder / "next")
            published = self.train_and_publish(gallery)
            with under_load(url, town, visits) as load:
                with self.timed("canary"):
                    self.rollout("canary", server.grpc_url, published)
                with self.timed("estimate"), Client(url) as client:
                    policies = self.score(client, town, visits)
                with self.timed("A/B test"):
                    split = Experiment("loop", {ENSEMBLE: 1, value.CANARY: 1}, question="rank")
                    self.expose(town, url, DAYS + 1, self.folder / "split", experiment=split)
                    logs = self.folder / "split"
                    arms = ("--arms", ENSEMBLE, value.CANARY, "--results", self.results)
                    about = ("--source", "the simulated town of quickstart.loop", "--seed", self.seed)
                    files = ("--exposures", logs / "exposures", "--likes", logs / "likes.jsonl")
                    run("perf", "ab_ranking", *files, *arms, *about)
                with self.timed("decision"):
                    self.rollout("promote" if self.is_promoted() else "end", server.grpc_url)
                time.sleep(1)
            with self.timed("exposures after"):
                _, after = self.expose(town, url, DAYS + 2, self.folder / "after")
        return self.measured(town, visits, shown, policies, after, load)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Measure how long a step takes, and say so."""
        start_s = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - start_s, 1)
        print(f"{step}: {self.seconds[step]} s", flush=True)

    def expose(
        self, town: Town, url: str, day: int, logs: Path, experiment: Experiment | None = None
    ) -> tuple[Sessions, Shown]:
        """Serve a day's visits, and write what was shown and liked, and what is stored of the users."""
        visits = town.visits(self.visits, self.seed + 1000 * day)
        logs.mkdir(exist_ok=True)
        with Client(url, experiment=experiment, on_impression=day_log(logs / "exposures", day)) as client:
            shown = serve(client, town, visits, day, logs / "likes.jsonl", self.seed)
        users = pd.DataFrame(
            {
                "user": [user_of(day, row) for row in range(len(visits))],
                "probabilities": list(np.column_stack([1 - visits.p_female, visits.p_female])),
                "embedding": list(town.profiles.embeddings[visits.profiles]),
            }
        )
        (logs / "users").mkdir(exist_ok=True)
        users.to_parquet(logs / "users" / f"{day}.parquet", index=False)
        return visits, shown

    def train_and_publish(self, gallery: Path) -> str:
        """Train on the logs, publish the ranker, and return its version."""
        logs, impressions, ranker = (self.folder / name for name in ("logs", "impressions.parquet", "ranker"))
        with self.timed("join"):
            inputs = ("--exposures", logs / "exposures", "--likes", logs / "likes.jsonl", "--users", logs / "users")
            run("training.ranking.impressions", *inputs, "--out", impressions)
        with self.timed("train"):
            config = Path(__file__).with_name("config.py")
            data = ("--config", config, "--impressions", impressions, "--gallery", gallery)
            run("training.ranking.train", *data, "--out", ranker)
        with self.timed("publish"):
            options = ("--repository", self.repository, "--temperature", self.temperature)
            published = run("conversion.publish_ranker", "--run", ranker, *options)
        return Path(published.strip().splitlines()[-1]).name

    def score(self, client: Client, town: Town, visits: Sessions) -> dict[str, value.Scores]:
        """Return the scores of the rankings whose value is estimated.

        The lists of the old one at twice its temperature are near those that were shown.
        """
        published = onnx.load(Catalog(ROOT / "model_repository").step_folder(ENSEMBLE, "ranker") / "model.onnx")
        (temperature,) = (float(each.value) for each in published.metadata_props if each.key == "temperature")
        # Lists depend on drawn priors too; with a seed, the scores are those of the exploration.
        return {
            "old ranker, more exploration": value.score(client, town, visits, 2 * temperature, ENSEMBLE, self.seed),
            "new ranker": value.score(client, town, visits, self.temperature, value.CANARY, self.seed),
        }

    def rollout(self, command: str, url: str, *arguments: str) -> None:
        """Run a command of `server.rollout` on the served copy."""
        run("server.rollout", command, ENSEMBLE, *arguments, "--repository", self.repository, "--url", url)

    def difference(self) -> dict[str, float]:
        """Return likes a list of the new ranker minus those of the old one, in the A/B test, with its interval."""
        report: dict[str, Any] = json.loads((self.results / "ab_ranking.json").read_text(encoding="utf-8"))
        difference: dict[str, float] = report["difference"]
        return difference

    def is_promoted(self) -> bool:
        """Return whether the new ranker replaces the old one: unless the A/B test shows that it is worse."""
        return self.difference()["high"] >= 0

    def measured(
        self,
        town: Town,
        visits: Sessions,
        shown: Shown,
        policies: Mapping[str, value.Scores],
        after: Shown,
        load: Load,
    ) -> dict[str, Any]:
        """Return all figures."""
        likes, likes_after = shown.liked.sum(axis=1), after.liked.sum(axis=1)
        return {
            "seconds": self.seconds,
            "temperature": self.temperature,
            "rollout": {"requests": load.requests, "errors": len(load.errors), "versions": load.versions},
            "before": {"value": float(likes.mean()), "standard_error": standard_error(likes)},
            "old_truth": value.expected_likes(town, visits, shown.places),
            "policies": {
                policy: {
                    "estimates": {name: each._asdict() for name, each in value.estimates(shown, scores).items()},
                    "truth": value.true_value(town, visits, scores.utilities, self.seed),
                }
                for policy, scores in policies.items()
            },
            "split": self.difference(),
            "promoted": self.is_promoted(),
            "after": {"value": float(likes_after.mean()), "standard_error": standard_error(likes_after)},
            "best": value.best_value(town, visits),
        }


def standard_error(values: Any) -> float:
    """Return the standard error of a mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def document(report: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    kept = "new" if report["promoted"] else "old"
    rows = [
        ("old ranker, truth", f"{report['old_truth']:.3f}", "", "", ""),
        ("shown by the old ranker", *_mean(report["before"]), "", ""),
    ]
    for policy, values in report["policies"].items():
        rows += [_estimate(f"{policy}, {name}", each, values["truth"]) for name, each in values["estimates"].items()]
        rows.append((f"{policy}, truth", f"{values['truth']:.3f}", "", "", ""))
    rows += [
        (f"shown thereafter, by the {kept} ranker", *_mean(report["after"]), "", ""),
        ("most liked pictures of each list, truth", f"{report['best']:.3f}", "", "", ""),
    ]
    columns = ("lists", "likes a list", "standard error", "errors from the truth", "effective lists")
    rollout, split, seconds = report["rollout"], report["split"], report["seconds"]
    steps = ", ".join(f"{step} {duration:.0f} s" for step, duration in seconds.items())
    gain = report["policies"]["new ranker"]["truth"] - report["old_truth"]
    return f"""# The closed loop

Written by `python -m quickstart.loop` on {report["date"]}, {report["machine"]}, seed {report["seed"]}.

Every day has {report["visits"]:,} visits, and each shows {report["shown"]} of 20 pictures, drawn by the served ranker.
The new ranker was trained on {report["days"]} days. The estimates use the lists that the old ranker showed on the next
day: for the new ranker, and for the old one at twice its temperature. Both rankers served half of the users each on the
day of the A/B test, and the {kept} one all of them thereafter: the new one is promoted unless the test shows that it is
worse.

{markdown_table(rows, columns)}

A/B test: {split["value"]:+.3f} likes a list, 95 % interval {split["low"]:+.3f} to {split["high"]:+.3f}. The truth is
{gain:+.3f}, for the users of the day before. An estimate of few effective lists rests on a few large weights, and then
its standard error is too small: it answers nothing, and the A/B test is needed.

Rollout under load: {rollout["requests"]:,} requests, {rollout["errors"]} failed. Duration: {steps}.
"""


def _estimate(name: str, figures: dict[str, float], truth: float) -> tuple[str, str, str, str, str]:
    estimated, error = _mean(figures)
    distance = f"{(figures['value'] - truth) / figures['standard_error']:+.1f}"
    return name, estimated, error, distance, f"{figures['effective_lists']:,.0f}"


def _mean(figures: dict[str, float]) -> tuple[str, str]:
    return f"{figures['value']:.3f}", f"{figures['standard_error']:.3f}"


if __name__ == "__main__":
    main()
