"""What the reverse proxy's check of each HTTP inference costs."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Final

from server.edge.reverse_proxy import TEMPLATE, running_reverse_proxy

from ..load.http_client_load import closed_loop, triton_request
from ..load.process_stats import cpu_seconds
from ..load.served import gender_ensembles, running_gender_models
from ..load.workload import synthetic_users
from ..report.experiment import Goal, Measurement
from ..report.rounds import RoundsExperiment, Row, compare, rotated

MAX_MS: Final = 0.3
MIN_KEPT: Final = 0.9
CHECK: Final = "js_content inference_request.admit;"
FORWARD: Final = "proxy_pass http://triton_http$uri;"
CHECKED, UNCHECKED = "checked", "not checked"


class InferenceCheck(RoundsExperiment):
    """Measure inferences over HTTP through the reverse proxy, with its check and without. Needs nginx."""

    name = "inference_check"
    title = "Check of inferences"
    clients = (1, 8)
    arm = ("model", "clients", "arm")
    about = """\
nginx parses each inference over HTTP and compares its shapes with its data (`server/edge/inference_request.js`). Two
reverse proxies in front of one Triton take turns, one without this check. Values are medians of the rounds."""
    columns: ClassVar = {
        "model": "{model}",
        "clients": "{clients}",
        "reverse proxy": "{arm}",
        "per second": "{per_s:.0f}",
        "p50 ms": "{p50_ms:.2f}",
        "p99 ms": "{p99_ms:.1f}",
        "nginx's CPU ms per request": "{nginx_ms:.3f}",
    }

    def measure_rounds(self, args: Any) -> Iterator[Row]:
        users, ensembles = synthetic_users(args.users, args.seed), gender_ensembles()
        with ExitStack() as stack:
            server = stack.enter_context(running_gender_models())
            template = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "nginx.conf.template"
            template.write_text(TEMPLATE.read_text(encoding="utf-8").replace(CHECK, FORWARD), encoding="utf-8")
            proxies = {
                name: stack.enter_context(running_reverse_proxy(server.http_url, server.grpc_url, template=file))
                for name, file in ((UNCHECKED, template), (CHECKED, TEMPLATE))
            }
            for number, model, clients in product(range(args.rounds), ensembles, args.clients):
                requests = [triton_request(ensembles[model], user) for user in users]
                for name in rotated(proxies, number):
                    before_s = cpu_seconds(proxies[name].process.pid)
                    figures = closed_loop(proxies[name].http_url, requests, clients, args.seconds)
                    nginx_s = cpu_seconds(proxies[name].process.pid) - before_s
                    figures["nginx_ms"] = 1000 * nginx_s / figures["answers"]
                    yield {"round": number, "model": model, "clients": clients, "arm": name, **figures}

    def goals(self, measurement: Measurement) -> Iterator[Goal]:
        rows, on = measurement.rows, ["model", "clients"]
        checked, unchecked = (rows[rows["arm"] == arm] for arm in (CHECKED, UNCHECKED))
        rounds = compare(checked, unchecked, ["round", *on], ["per_s", "nginx_ms"])
        pairs = rounds.groupby(on)[["per_s_ratio", "nginx_ms_difference"]].median()
        extra_ms, kept = pairs["nginx_ms_difference"].max(), pairs["per_s_ratio"].min()
        worst: Any = pairs["per_s_ratio"].idxmin()
        yield Goal(f"the check takes at most {MAX_MS} ms of CPU", f"{extra_ms:.2f} ms", extra_ms <= MAX_MS)
        text = f"the check keeps {MIN_KEPT:.0%} of the throughput everywhere"
        yield Goal(text, f"{kept:.1%} at the worst: {worst[0]}, clients: {worst[1]}", kept >= MIN_KEPT)
