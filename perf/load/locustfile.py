"""Users of the product for locust: a morning spike and an evening spike, mostly of new users.

    python -m perf.load                      # starts a server, runs headless, writes a report
    locust -f perf/load/locustfile.py        # web page, against `make serve`

Half of the users use gRPC, half HTTP; with `--host grpc://HOST:8001` all use that address.
"""

from grpc.experimental.gevent import init_gevent  # isort: skip

# gRPC's own threads would block all other users of this process, so this must run before the first channel opens.
init_gevent()

import os
from time import perf_counter
from typing import Final

from locust import LoadTestShape, User, between, task

from genderclient import Client, GenderClientError
from perf.load.daily_profile import Visitors, level

# Defaults of `--users`, the height of the higher spike, and of `--run-time`, the length of a day.
PEAK: Final = 20
SECONDS: Final = 120
VISITORS: Final = Visitors(seed=1)


class ProductUser(User):
    """Sends one visitor after the other; the scheme of `host` selects the protocol."""

    abstract = True
    wait_time = between(0.2, 1.0)

    def on_start(self) -> None:
        self.client = Client(self.host)

    def on_stop(self) -> None:
        self.client.close()

    @task
    def predict(self) -> None:
        avatar, nickname = VISITORS.next()
        start, failure = perf_counter(), None
        try:
            self.client.predict(avatar=avatar or None, nickname=nickname)
        except GenderClientError as exc:
            failure = exc
        self.environment.events.request.fire(
            request_type=str(self.host).split(":")[0],
            name="predict",
            response_time=1000 * (perf_counter() - start),
            response_length=0,
            exception=failure,
            context={},
        )


class GrpcUser(ProductUser):
    host = os.environ.get("GRPC_HOST", "grpc://127.0.0.1:8001")


class HttpUser(ProductUser):
    host = os.environ.get("HTTP_HOST", "http://127.0.0.1:8000")


class TwoSpikes(LoadTestShape):
    """One day within `--run-time`, with at most `--users` concurrent users."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        options = self.runner.environment.parsed_options  # type: ignore[union-attr]
        peak, length = options.num_users or PEAK, options.run_time or SECONDS  # type: ignore[union-attr]
        passed = self.get_run_time() / length  # type: ignore[no-untyped-call]
        if passed > 1:
            return None
        return max(1, round(peak * level(passed))), peak
