"""How long each step of an ensemble took, from the difference of Triton's statistics before and after a request."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from tritonclient.grpc.aio import InferenceServerClient

T = TypeVar("T")

# A server that does not answer must not hold up the users after this one.
TIMEOUT_S: Final = 5.0
_PARTS: Final = ("queue", "compute_input", "compute_infer", "compute_output")


async def timed(
    triton: InferenceServerClient, models: Collection[str], ask: Callable[[], Awaitable[T]]
) -> tuple[T, dict[str, float]]:
    """Await `ask()` and return its result with the milliseconds that each of the models worked meanwhile.

    Requests of others that run at the same time count too.
    """
    before = await _nanoseconds(triton, models)
    result = await ask()
    after = await _nanoseconds(triton, models)
    return result, {name: (after[name] - before[name]) / 1e6 for name in models}


async def _nanoseconds(triton: InferenceServerClient, models: Collection[str]) -> Mapping[str, int]:
    statistics: Any = await triton.get_inference_statistics(client_timeout=TIMEOUT_S)
    totals = dict.fromkeys(models, 0)
    for each in statistics.model_stats:
        if each.name in totals:
            totals[each.name] += sum(getattr(each.inference_stats, part).ns for part in _PARTS)
    return totals
