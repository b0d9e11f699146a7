"""A small two-tower model, converted once per session. Keras runs eagerly in each of these modules."""

from collections.abc import Iterator

import keras
import numpy as np
import onnx
import pytest

from conversion.export import to_onnx
from conversion.quantize import to_int8
from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT, TOKENS
from tests.support.training.eager import eagerly
from tests.support.training.stand_in import small_towers
from training.arrays import Arrays
from training.evaluation.platt import PlattScaling
from training.gender.model import build_fused_model, serving_model


@pytest.fixture(scope="module", autouse=True)
def eager() -> Iterator[None]:
    with eagerly():
        yield


@pytest.fixture(scope="session")
def serving() -> keras.Model:
    keras.utils.set_random_seed(2)
    with small_towers():
        trained = build_fused_model("mobilenetv2")
    ngrams = trained.get_layer("text_tower").get_layer("ngrams")
    ngrams.set_weights([np.random.default_rng(0).normal(0, 0.3, ngrams.table.shape)])
    return serving_model(trained, PlattScaling((0.5, 0.2), (0.8, -0.1), (0.7, 0.1), 0.6))


@pytest.fixture(scope="session")
def fp32(serving: keras.Model) -> onnx.ModelProto:
    return to_onnx(serving)


@pytest.fixture(scope="session")
def dense_fp32() -> onnx.ModelProto:
    keras.utils.set_random_seed(3)
    with small_towers():
        return to_onnx(serving_model(build_fused_model("densenet121"), PlattScaling()))


@pytest.fixture(scope="session")
def int8(fp32: onnx.ModelProto, rows: Arrays) -> onnx.ModelProto:
    return to_int8(fp32, rows)


@pytest.fixture(scope="session")
def dense_int8(dense_fp32: onnx.ModelProto, rows: Arrays) -> onnx.ModelProto:
    return to_int8(dense_fp32, rows)


@pytest.fixture(scope="session")
def rows() -> Arrays:
    """Arrays of 40 users; some lack an avatar, a nickname or both."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, MAX_TOKENS + 1, (40, 1))
    return {
        IMAGE: rng.integers(0, 256, (40, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8),
        TOKENS: np.where(np.arange(MAX_TOKENS) < lengths, rng.integers(20, 900, (40, MAX_TOKENS)), 0).astype(np.int32),
        PRESENT: np.arange(40)[:, None] % [[3, 5]] != 0,
    }
