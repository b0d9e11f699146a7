"""The cost of a repeated request with and without Triton's response cache."""

from collections.abc import Iterator
from itertools import product
from typing import Any, ClassVar, Final

from ..load import perf_analyzer
from ..load.perf_analyzer import PROTOCOLS
from ..load.served import REPOSITORY, gender_ensembles, running_gender_models
from ..load.workload import perf_analyzer_data, synthetic_users
from ..report.experiment import Goal, Measurement
from ..report.rounds import RoundsExperiment, Row, rotated

CACHE: Final = "--cache-config=local,size=268435456"
CACHING: Final = "with a cache"
REPEAT_MS: Final = 0.5


class ResponseCache(RoundsExperiment):
    """Measure repeated requests on a server with Triton's response cache and on one without.

    One client at a time.
    """

    name = "response_cache"
    title = "Response cache"
    arm = ("model", "protocol", "server")
    spread = ("p50_ms",)
    about = f"""\
One client; the servers have seen every request before. Values are medians of the rounds; p50 has its range.
`tritonserver {CACHE}` turns the cache on; it is off by default."""
    columns: ClassVar = {
        "model": "{model}",
        "protocol": "{protocol}",
        "server": "{server}",
        "p50 ms": "{p50_ms:.2f} ({p50_ms_low:.2f} to {p50_ms_high:.2f})",
        "p99 ms": "{p99_ms:.2f}",
        "CPU ms per request": "{cpu_ms:.2f}",
    }

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        users, ensembles = synthetic_users(args.users, args.seed), gender_ensembles()
        with (
            running_gender_models() as plain,
            running_gender_models(REPOSITORY, CACHE) as caching,
            perf_analyzer_data(users) as data,
        ):
            servers = {"without a cache": plain, CACHING: caching}
            # The first round fills the cache and does not count.
            for number, model, protocol in product(range(-1, args.rounds), ensembles, PROTOCOLS):
                for name in rotated(servers, number + 1):
                    figures = perf_analyzer.measure(servers[name], ensembles[model], protocol, data, args.seconds)
                    if number >= 0:
                        yield {"round": number, "model": model, "protocol": protocol, "server": name, **figures}

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        arms = self.summarize(measurement.rows)
        for arm in arms[arms["server"] == CACHING].to_dict("records"):
            text = f"{arm['model']}, {arm['protocol']}: a cached answer within {REPEAT_MS} ms"
            yield Goal(text, f"{arm['p50_ms']:.2f} ms", arm["p50_ms"] <= REPEAT_MS)
