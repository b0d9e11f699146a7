"""The results document about reliability."""

from typing import Final

from perf.report.markdown import Document

from .attacks.experiment import Attacks
from .faults.experiment import Faults
from .malformed.experiment import Malformed
from .monitoring.experiment import Monitoring
from .overload.experiment import Overload
from .restarts.experiment import Restarts
from .soak.experiment import Soak
from .variants.experiment import Variants

RELIABILITY: Final = Document(
    command="reliability",
    title="Reliability",
    file="RELIABILITY.md",
    introduction="What breaks the product. Load generators, proxies and servers share the cores of one machine.",
    experiments=(Overload(), Soak(), Faults(), Malformed(), Attacks(), Restarts(), Variants(), Monitoring()),
)
