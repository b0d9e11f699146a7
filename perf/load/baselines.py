"""Baselines: the cost of an answer in this process, without a server, one user after the other.

Ratios to a baseline depend less on how fast the machine happens to be than absolute figures.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from server.catalog import Catalog
from server.launch.process import ROOT

from .http_client_load import percentiles_ms
from .predictor import Tensors, open_network, preprocess
from .workload import SyntheticUser

WARM_UP: Final = 8

Answer = Callable[[int], Any]  # answers the user at an index


def baselines(repository: Path, model: str, users: Sequence[SyntheticUser]) -> dict[str, Answer]:
    """Return the baselines by name: the network alone, preprocessing and network, and the engine of the article."""
    run, run_tensorflow = network(repository, model), tensorflow(model)
    return {
        "ONNX Runtime": network_alone(repository, model, users),
        "preprocessing, ONNX Runtime": lambda index: run(prepare(users[index])),
        "preprocessing, TensorFlow fp32": lambda index: run_tensorflow(prepare(users[index])),
    }


def prepare(user: SyntheticUser) -> Tensors:
    """Return the inputs of the network for one user."""
    return preprocess(user.avatar, user.nickname)


def network_alone(repository: Path, model: str, users: Sequence[SyntheticUser]) -> Answer:
    """Return the baseline without preprocessing."""
    run, prepared = network(repository, model), [prepare(user) for user in users]
    return lambda index: run(prepared[index])


def network(repository: Path, model: str) -> Callable[[Tensors], Any]:
    """Load the version of a backbone that its ensemble serves; returns a function to all its outputs."""
    session = open_network(str(Catalog(repository).served_onnx(model)))
    return lambda tensors: session.run(None, tensors)


def tensorflow(model: str) -> Callable[[Tensors], Any]:
    """Build the published network with random weights in fp32, as a TensorFlow function on all its threads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    from training.evaluation.platt import PlattScaling
    from training.gender.model import build_fused_model, serving_model

    published = json.loads((ROOT / "results" / f"publish_{model}.json").read_text(encoding="utf-8"))
    keras_model = serving_model(build_fused_model(published["training"]["config"]["backbone"]), PlattScaling())
    call = tf.function(lambda tensors: keras_model(tensors, training=False))
    return lambda tensors: call({name: tf.constant(value) for name, value in tensors.items()})


def measure(answer: Answer, users: int, seconds: float) -> dict[str, float]:
    """Answer `users` users in turn for `seconds` after a warm-up; returns the figures of `perf_analyzer.measure`."""
    for index in range(min(users, WARM_UP)):
        answer(index)
    times_ms: list[float] = []
    end, cpu = perf_counter() + seconds, process_time()
    while perf_counter() < end:
        start = perf_counter()
        answer(len(times_ms) % users)
        times_ms.append(1000 * (perf_counter() - start))
    spent_ms = 1000 * (process_time() - cpu)
    return {"per_s": len(times_ms) / seconds, **percentiles_ms(times_ms), "cpu_ms": spent_ms / len(times_ms)}
