"""Metrics of `gallery` beside Triton's own: refusals, and ids that the gallery lacks.

Triton keeps a series by name and labels until the server ends, so all instances add to the same series.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import triton_python_backend_utils as pb_utils

from .picturegallery.candidates import CANDIDATES
from .picturegallery.errors import InvalidInput
from .picturegallery.history import HISTORY

REFUSED: Final = "gallery_refused_requests_total"
UNKNOWN: Final = "gallery_unknown_ids_total"


class Metrics:
    """Counts events. The series of unknown ids exist from the start, those of refusals from the first one on."""

    def __init__(self) -> None:
        # A metric stops working when its family is garbage collected.
        self._refused = _family(REFUSED, "Requests refused for a bad input")
        unknown = self._unknown_family = _family(UNKNOWN, "Ids in requests that the gallery lacks")
        self._unknown = {name: unknown.Metric(labels={"tensor": name}) for name in (HISTORY, CANDIDATES)}
        self._refusals: dict[tuple[str, str], Any] = {}

    def refused(self, error: InvalidInput) -> None:
        """Count a refusal."""
        why = error.tensor, error.fault.value
        if why not in self._refusals:
            self._refusals[why] = self._refused.Metric(labels=dict(zip(("tensor", "reason"), why, strict=True)))
        self._refusals[why].increment(1)

    def unknown(self, ids: Counter[str]) -> None:
        """Count unknown ids by input; each input that has some costs one message to Triton."""
        for name, times in ids.items():
            if times:
                self._unknown[name].increment(times)


def _family(name: str, description: str) -> Any:
    return pb_utils.MetricFamily(name=name, description=description, kind=pb_utils.MetricFamily.COUNTER)
