"""Metrics of `preprocess` beside Triton's own: refusals, missing modalities, and which digest is loaded.

Triton keeps a series by name and labels until the server ends. All instances therefore add to the same series, also
after a reload or the death of a stub, and the gauge carries the time at which it was set.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

import triton_python_backend_utils as pb_utils

from .genderprep import InvalidAvatar, InvalidInput, InvalidNickname
from .genderprep.tensors import AVATAR, NICKNAME, PICTURE, TITLE

REFUSED: Final = "gender_refused_requests_total"
MISSING: Final = "gender_missing_inputs_total"
LOADED: Final = "gender_preprocess_loaded_timestamp_seconds"

ABSENT: Final = "absent"
DEFAULT: Final = "default"

_FAULTS: Final = {
    **dict.fromkeys((AVATAR, PICTURE), InvalidAvatar.faults),
    **dict.fromkeys((NICKNAME, TITLE), InvalidNickname.faults),
}
_REFUSALS: Final = [(tensor, fault) for tensor, faults in _FAULTS.items() for fault in faults]
_MISSES: Final = [(tensor, why) for tensor in (AVATAR, NICKNAME) for why in (ABSENT, DEFAULT)]

# Metric name, tensor, reason.
Event = tuple[str, str, str]


def refused(error: InvalidInput) -> Event:
    return REFUSED, error.tensor, error.fault


def missing(tensor: str, row: bytes) -> Event:
    """A user lacks this modality: the row is empty, or a placeholder of the platform."""
    return MISSING, tensor, DEFAULT if row else ABSENT


class Counters:
    """Counts events. Every series exists from the start, at 0."""

    def __init__(self, digest: str, version: str) -> None:
        refusals = _family(REFUSED, "Requests refused for a bad input")
        missed = _family(MISSING, "Users answered without a modality; the warm-up and canaries count too")
        self._metrics = {
            **{(REFUSED, *why): refusals.Metric(labels=_labels(why)) for why in _REFUSALS},
            **{(MISSING, *why): missed.Metric(labels=_labels(why)) for why in _MISSES},
        }
        loaded = _family(LOADED, "When this preprocessing was last loaded, by digest and model version", "GAUGE")
        loaded.Metric(labels={"digest": digest, "version": version}).set(time.time())
        # A metric stops working when its family is garbage collected.
        self._families = (refusals, missed, loaded)

    def add(self, events: Counter[Event]) -> None:
        """Add counted events; each distinct event costs one message to Triton."""
        for event, times in events.items():
            self._metrics[event].increment(times)


def _family(name: str, description: str, kind: str = "COUNTER") -> Any:
    return pb_utils.MetricFamily(name=name, description=description, kind=getattr(pb_utils.MetricFamily, kind))


def _labels(why: tuple[str, str]) -> dict[str, str]:
    tensor, reason = why
    return {"tensor": tensor, "reason": reason}
