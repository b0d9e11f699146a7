"""Side effects of malformed input: on the requests of a valid client, and on the memory of the server."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, NamedTuple

import grpc
import numpy as np
import psutil
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from genderprep.tensors import EMBEDDING
from perf.load.process_stats import pss_mb, sampled
from server.launch.process import Server

from .cases.valid_files import valid_files
from .isolated_worker import TIMEOUT_S
from .live_target import METHOD
from .requests.grpc_requests import grpc_request

SAMPLE_S: Final = 0.04
Embedding = NDArray[np.float32]


class ValidRequest(NamedTuple):
    """A valid request: whether its answer was correct, and its latency."""

    correct: bool
    seconds: float


@dataclass
class SideEffects:
    """Figures of the valid requests, and the server's memory above that before: the peak, and afterwards."""

    answers: int = 0
    wrong: int = 0
    worst_s: float = 0.0
    memory_mb: float = 0.0
    memory_after_mb: float = 0.0


@contextmanager
def side_effects(server: Server, expected: Embedding | None = None, send: bool = True) -> Iterator[SideEffects]:
    """Record the side effects of what the body does to the server; they are complete on exit.

    Args:
        server: The server under test.
        expected: The embedding that counts as correct; by default the one that the server returns before the body.
        send: Whether to send valid requests. Without, only memory is sampled, and the server may exit.
    """
    effects, requests, before_mb = SideEffects(), list[ValidRequest](), memory_mb(server)
    with ExitStack() as stack:
        memory = stack.enter_context(sampled(lambda: memory_mb(server), SAMPLE_S))
        if send:
            correct = embedding(server) if expected is None else expected
            requests = stack.enter_context(sampled(lambda: _send_valid(server, correct), SAMPLE_S))
        yield effects
    effects.answers = len(requests)
    effects.wrong = sum(not request.correct for request in requests)
    effects.worst_s = max((request.seconds for request in requests), default=0.0)
    effects.memory_mb = round(max(memory) - before_mb, 1)
    effects.memory_after_mb = round(memory[-1] - before_mb, 1)


def memory_mb(server: Server) -> float:
    """Return the memory of the server and its stubs; 0 if they have exited."""
    # psutil returns an empty command line for a process that is about to exit.
    with suppress(psutil.Error, IndexError):
        return sum(pss_mb(server.process.pid).values())
    return 0.0


def embedding(server: Server) -> Embedding:
    """Return the embedding of a valid user, requested over a new connection as a new client would."""
    content = grpc_request(valid_files()["JPEG"], "小美".encode())
    with grpc.insecure_channel(server.grpc_url, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        infer = channel.unary_unary(METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString)
        response: Any = infer(content, timeout=TIMEOUT_S)
    names = [output.name for output in response.outputs]
    return np.frombuffer(response.raw_output_contents[names.index(EMBEDDING)], np.float32)


def _send_valid(server: Server, expected: Embedding) -> ValidRequest:
    start = perf_counter()
    try:
        correct = np.allclose(embedding(server), expected, atol=1e-3)
    except grpc.RpcError:
        correct = False
    return ValidRequest(correct, perf_counter() - start)
