"""A model repository with the product's gallery, and a tiny picture encoder whose vectors are a function of colors."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnx.parser

from conversion.screener_model import Limits, with_verdict
from conversion.screening import ATTRIBUTES_KEY, LIMITS_KEY
from genderclient._questions.screening import ATTRIBUTES
from genderprep import prep_digest
from genderprep.tensors import IMAGE_SIZE, MAX_TOKENS
from server.catalog import SCREEN, Catalog
from tests.support.tritonserver import ROOT

MODELS = ("preprocess", "picture_encoder", "gallery", "embed", "similar")
DIMS = 32
GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
encoder (uint8[pictures, {size}, {size}, 3] IMAGE, int32[pictures, {tokens}] TOKENS, bool[pictures, 2] PRESENT)
    => (float[pictures, {dims}] VECTOR, float[pictures, {dims}] TITLE_VECTOR)
    <int64[2] shape = {{0, -1}}, int64[1] begin = {{0}}, int64[1] end = {{{dims}}}, int64[1] axis = {{1}},
     int64[1] first = {{1}}>
{{
    pixels = Cast <to = 1> (IMAGE)
    flat = Reshape (pixels, shape)
    some = Slice (flat, begin, end, axis)
    unit = LpNormalization <axis = 1> (some)
    shown = Slice (PRESENT, begin, first, axis)
    zeros = Sub (unit, unit)
    VECTOR = Where (shown, unit, zeros)
    TITLE_VECTOR = Cast <to = 1> (TOKENS)
}}
"""
# Logits grow with the mean of red, of the first network for all attributes, and with that of blue.
SCREENER = """
<ir_version: 8, opset_import: ["" : 17]>
screener (uint8[pictures, {size}, {size}, 3] IMAGE) => (float[pictures, {attributes}] FIRST, float[pictures, 1] SECOND)
{{
    pixels = Cast <to = 1> (IMAGE)
    planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
    pooled = GlobalAveragePool (planes)
    features = Flatten (pooled)
    FIRST = Gemm (features, first, first_bias)
    SECOND = Gemm (features, second, second_bias)
}}
"""
# An attribute is found if the mean level of its color is higher.
LEVEL = 200


def write_repository(folder: Path) -> Path:
    """Write a repository whose gallery has code but no version, and whose encoder 1 has the digest `digest(1)`."""
    for model in MODELS:
        ignored = shutil.ignore_patterns("model.onnx", "__pycache__", "*.npy", "*.json" if model == "gallery" else "")
        shutil.copytree(ROOT / "model_repository" / model, folder / model, ignore=ignored)
    add_encoder(folder, 1)
    return folder


def digest(version: int) -> str:
    """The digest that `add_encoder` states by default."""
    return f"{version:064x}"


def add_encoder(repository: Path, version: int, **metadata: str) -> Path:
    """Write a version of the picture encoder, whose vector is the first values of the picture's first row."""
    file = repository / "picture_encoder" / str(version) / "model.onnx"
    file.parent.mkdir(exist_ok=True)
    model = onnx.parser.parse_model(GRAPH.format(size=IMAGE_SIZE, tokens=MAX_TOKENS, dims=DIMS))
    stated = {"prep_digest": prep_digest(), "encoder_digest": digest(version), **metadata}
    onnx.helper.set_model_props(model, stated)
    onnx.save(model, file)
    return file


def served_screener() -> int:
    """The version that the product serves, and so does a copy of its configuration."""
    return Catalog(ROOT / "model_repository").served_version("screener", SCREEN)


def add_screener(repository: Path) -> Path:
    """Write the served version of the screener: red is `blurred`, and red that is also blue `unsuitable`."""
    for name in ("screener", "screen"):
        if not (repository / name).exists():
            ignored = shutil.ignore_patterns("model.onnx")
            shutil.copytree(ROOT / "model_repository" / name, repository / name, ignore=ignored)
    model = onnx.parser.parse_model(SCREENER.format(size=IMAGE_SIZE, attributes=len(ATTRIBUTES)))
    first = np.zeros((3, len(ATTRIBUTES)), np.float32)
    first[0] = 1
    constants = {
        "first": first,
        "first_bias": np.full(len(ATTRIBUTES), -LEVEL, np.float32),
        "second": np.array([[0], [0], [1]], np.float32),
        "second_bias": np.array([-LEVEL], np.float32),
    }
    for node in model.graph.node:
        node.name = f"image_tower/first/{node.output[0]}"
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in constants.items())
    limits = Limits({"blurred": 0.5, "unsuitable": 0.5}, 0.5)
    served = with_verdict(model, ATTRIBUTES, limits)
    stated = {ATTRIBUTES_KEY: json.dumps(ATTRIBUTES), LIMITS_KEY: json.dumps(asdict(limits))}
    onnx.helper.set_model_props(served, {"prep_digest": prep_digest(), **stated})
    file = repository / "screener" / str(served_screener()) / "model.onnx"
    file.parent.mkdir(exist_ok=True)
    onnx.save(served, file)
    return file
