"""Users of the product, for locust: quiet hours and two spikes, morning and night, mostly of users never seen before.

    python -m perf.load              # a server of its own, headless, and a report
    locust -f perf/load/locustfile.py     # the web page, against `make serve`

Half of them come over gRPC, half over HTTP; `--host grpc://HOST:8001` sends all of them there.
"""

from grpc.experimental.gevent import init_gevent  # isort: skip

# Before any channel is opened: gRPC's own threads would block all other users of this process.
init_gevent()

import os
from time import perf_counter
from typing import Final

from locust import LoadTestShape, User, between, task

from genderclient import Client, GenderClientError
from perf.load.daily_profile import Crowd, level

# Where nothing else is said: users at once at the height of a spike, and how long a day takes.
PEAK: Final = 20
SECONDS: Final = 120
CROWD: Final = Crowd(seed=1)


class ProductUser(User):
    """Greets somebody again and again; the URL decides the protocol."""

    abstract = True
    wait_time = between(0.2, 1.0)

    def on_start(self) -> None:
        self.client = Client(self.host)

    def on_stop(self) -> None:
        self.client.close()

    @task
    def greet(self) -> None:
        avatar, nickname = CROWD.next()
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
    """A day in `--run-time`: at most `--users` at once."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        options = self.runner.environment.parsed_options  # type: ignore[union-attr]
        peak, length = options.num_users or PEAK, options.run_time or SECONDS  # type: ignore[union-attr]
        passed = self.get_run_time() / length  # type: ignore[no-untyped-call]
        if passed > 1:
            return None
        return max(1, round(peak * level(passed))), peak
