"""The performance document."""

from typing import Final

from .experiments.ab import AB
from .experiments.ab_ranking import RankingAB
from .experiments.access_log import AccessLog
from .experiments.breakdown import Breakdown
from .experiments.earlier import Earlier
from .experiments.gallery_scan import GalleryScan
from .experiments.inference_check import InferenceCheck
from .experiments.install_size import InstallSize
from .experiments.latency import Latency
from .experiments.offline_scoring import OfflineScoring
from .experiments.priority import Priority
from .experiments.ranking import Ranking
from .experiments.response_cache import ResponseCache
from .experiments.scaling import Scaling
from .experiments.server_settings import ServerSettings
from .peers.compare import Peers
from .report.markdown import Document

PERFORMANCE: Final = Document(
    command="perf",
    title="Performance",
    file="PERFORMANCE.md",
    introduction="Load generators and servers share the cores of one machine, so absolute figures are worse than with "
    "separate machines. Compare the arms of one experiment.",
    experiments=(
        Latency(),
        Breakdown(),
        Earlier(),
        Peers(),
        Scaling(),
        Ranking(),
        ResponseCache(),
        ServerSettings(),
        Priority(),
        InferenceCheck(),
        GalleryScan(),
        AccessLog(),
        OfflineScoring(),
        AB(),
        RankingAB(),
        InstallSize(),
    ),
)
