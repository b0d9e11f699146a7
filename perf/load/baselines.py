"""Baselines: the cost of an answer in this process, without a server, one user after the other.

Ratios to a baseline depend less on how fast the machine happens to be than absolute figures.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from genderprep import prepare_image, prepare_text
from genderprep.tensors import IMAGE, PRESENT, TOKENS
from server.catalog import Catalog
from server.launch.process import ROOT

from .http_client_load import percentiles_ms
from .workload import SyntheticUser

WARM_UP: Final = 8

# The tensors of one user by name, with a batch axis of 1: image [1, H, W, 3], tokens [1, T], present [1, 2].
Tensors = dict[str, NDArray[Any]]


def preprocess(user: SyntheticUser) -> Tensors:
    """Return the outputs of the `preprocess` model for one user."""
    image, has_avatar = prepare_image(user.avatar)
    tokens, has_nickname = prepare_text(user.nickname.encode())
    return {IMAGE: image[None], TOKENS: tokens[None], PRESENT: np.array([[has_avatar, has_nickname]])}


def baselines(repository: Path, model: str, users: Sequence[SyntheticUser]) -> dict[str, Callable[[int], object]]:
    """Return by name a function that answers the user at an index.

    The baselines are the network alone, preprocessing and network, and the engine of the article.
    """
    run, run_tensorflow = onnx_runtime(repository, model), tensorflow(model)
    prepared = [preprocess(user) for user in users]
    return {
        "ONNX Runtime": lambda index: run(prepared[index]),
        "preprocessing, ONNX Runtime": lambda index: run(preprocess(users[index])),
        "preprocessing, TensorFlow fp32": lambda index: run_tensorflow(preprocess(users[index])),
    }


def onnx_runtime(repository: Path, model: str) -> Callable[[Tensors], Any]:
    """Load the served version of a model into ONNX Runtime, on one thread as Triton serves it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    file = Catalog(repository).served_onnx(model)
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda tensors: session.run(None, tensors)


def tensorflow(model: str) -> Callable[[Tensors], object]:
    """Build the published network with random weights in fp32, as a TensorFlow function on all its threads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    from training.evaluation.platt import PlattScaling
    from training.gender.model import build_fused_model, serving_model

    published = json.loads((ROOT / "results" / f"publish_{model}.json").read_text(encoding="utf-8"))
    network = serving_model(build_fused_model(published["training"]["config"]["backbone"]), PlattScaling())
    call = tf.function(lambda tensors: network(tensors, training=False))
    return lambda tensors: call({name: tf.constant(value) for name, value in tensors.items()})


def measure(answer: Callable[[int], object], users: int, seconds: float) -> dict[str, float]:
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
