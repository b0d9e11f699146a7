"""The results document about performance."""

from typing import Final

from .experiments.ab import AB
from .experiments.breakdown import Breakdown
from .experiments.latency import Latency
from .experiments.offline_scoring import OfflineScoring
from .experiments.priority import Priority
from .experiments.response_cache import ResponseCache
from .experiments.scaling import Scaling
from .experiments.server_settings import ServerSettings
from .peers.compare import Peers
from .report.markdown import Document

PERFORMANCE: Final = Document(
    command="perf",
    title="Performance",
    file="PERFORMANCE.md",
    introduction="Performance of the shipped models on one machine. The load generators run on the cores of the server, so "
    "absolute figures are worse than with a machine of their own. Compare the arms of one experiment.",
    experiments=[
        Latency(),
        Breakdown(),
        Peers(),
        Scaling(),
        ResponseCache(),
        ServerSettings(),
        Priority(),
        OfflineScoring(),
        AB(),
    ],
)
