"""What an answer costs without a server, one user after the other in this process.

Every figure of a served model is read as a ratio to these, which depends less on how fast the machine is just now.
"""

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

from .perf_analyzer import PERCENTILES
from .workload import User

BACKBONES: Final = {"densenet": "densenet121", "mobilenet": "mobilenetv2"}
MODELS: Final = tuple(BACKBONES)
WARM_UP: Final = 8

Inputs = dict[str, NDArray[Any]]


def prepare(user: User) -> Inputs:
    """What `preprocess` makes of one user."""
    image, avatar = prepare_image(user.avatar)
    tokens, nickname = prepare_text(user.nickname.encode())
    return {IMAGE: image[None], TOKENS: tokens[None], PRESENT: np.array([[avatar, nickname]])}


def points(repository: Path, model: str, users: Sequence[User]) -> dict[str, Callable[[int], object]]:
    """What answers the user at an index, by name: the network alone, preprocessing with it, the article's engine."""
    run, engine = onnx_runtime(repository, model), tensorflow(model)
    prepared = [prepare(user) for user in users]
    return {
        "ONNX Runtime": lambda index: run(prepared[index]),
        "preprocessing, ONNX Runtime": lambda index: run(prepare(users[index])),
        "preprocessing, TensorFlow fp32": lambda index: engine(prepare(users[index])),
    }


def onnx_runtime(repository: Path, model: str) -> Callable[[Inputs], object]:
    """The newest version of a shipped model in ONNX Runtime, on one thread as it is served."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(newest(repository, model), options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)


def newest(repository: Path, model: str) -> Path:
    """The ONNX file that Triton serves."""
    versions = [int(folder.name) for folder in (repository / model).iterdir() if folder.name.isdigit()]
    return repository / model / str(max(versions)) / "model.onnx"


def tensorflow(model: str) -> Callable[[Inputs], object]:
    """The same network, fp32 with random weights, as a TensorFlow function on all its threads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    from training.evaluation.platt import PlattScaling
    from training.gender.model import build_fused_model, serving_model

    network = serving_model(build_fused_model(BACKBONES[model]), PlattScaling())
    call = tf.function(lambda inputs: network(inputs, training=False))
    return lambda inputs: call({name: tf.constant(value) for name, value in inputs.items()})


def measure(answer: Callable[[int], object], users: int, seconds: float) -> dict[str, float]:
    """Answer that many users in turn for so long, after a warm-up: the figures of `perf_analyzer.measure`."""
    for index in range(min(users, WARM_UP)):
        answer(index)
    times: list[float] = []
    end, cpu = perf_counter() + seconds, process_time()
    while perf_counter() < end:
        start = perf_counter()
        answer(len(times) % users)
        times.append(1000 * (perf_counter() - start))
    spent = 1000 * (process_time() - cpu)
    ranks = {f"p{rank}_ms": float(np.percentile(times, rank)) for rank in PERCENTILES}
    return {"per_s": len(times) / seconds, **ranks, "cpu_ms": spent / len(times)}
