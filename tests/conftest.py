"""Fixtures that several folders use."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.inference import Caller, calling
from tests.support.otlp import Receiver, receiving
from tests.support.tritonserver import ROOT, Server, running_triton

# `make test` hands out the files in this order, so that its two workers end at the same time.
LONGEST_FILES: Final = (
    "client/ray/test_job.py",
    "server/rollout/test_live.py",
    "training/gender/test_smoke.py",
    "training/gender/test_switches.py",
    "training/curation/test_fit.py",
    "training/gender/test_ablate.py",
    "training/curation/test_train.py",
    "server/supervisor/test_live.py",
    "training/pretrain/test_tables.py",
    "training/gender/test_fuse.py",
    "training/gender/test_train.py",
    "quickstart/test_command.py",
    "training/pretrain/test_run.py",
    "training/engine/test_resume.py",
    "training/gender/test_fasttext.py",
    "reliability/malformed/test_isolated_worker.py",
    "reliability/malformed/test_live_target.py",
    "reliability/attacks/test_attacks.py",
    "reliability/restarts/test_restarts.py",
    "training/ranking/ams/test_ray.py",
    "reliability/faults/test_drill.py",
    "reliability/monitoring/test_monitoring.py",
    "reliability/variants/test_experiment.py",
    "training/pretrain/test_dual_encoder.py",
    "perf/peers/test_peers.py",
    "docs/test_notebooks.py",
    "conversion/test_publish.py",
    "conversion/test_image_size.py",
    "perf/experiments/test_latency.py",
    "perf/load/test_daily_profile.py",
    "client/test_live.py",
    "client/cli/test_commands.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first; the order within a file and of all others stays."""
    places = {ROOT / "tests" / file: place for place, file in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def triton() -> Iterator[Server]:
    """A Triton with the project's model repository, started once per session."""
    with running_triton(ROOT / "model_repository") as server:
        yield server


@pytest.fixture(params=["grpc", "http"])
def caller(request: pytest.FixtureRequest, triton: Server) -> Iterator[Caller]:
    """Calls `triton` without the SDK, by each protocol."""
    with calling(triton, request.param) as caller:
        yield caller


@pytest.fixture(scope="session")
def traces() -> Iterator[Receiver]:
    """The receiver of the traces of `observed`."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def observed(traces: Receiver) -> Iterator[Server]:
    """Like `triton`, with all observability on: latency percentiles, and a trace of one request in 1,000."""
    settings = {
        "mode": "opentelemetry",
        "opentelemetry,url": traces.url,
        "opentelemetry,bsp_schedule_delay": "100",
        "level": "TIMESTAMPS",
        "rate": "1000",
    }
    flags = [f"--trace-config={name}={value}" for name, value in settings.items()]
    with running_triton(ROOT / "model_repository", "--metrics-config=summary_latencies=true", *flags) as server:
        yield server
