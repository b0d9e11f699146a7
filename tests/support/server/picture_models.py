"""A model repository with the product's gallery, and a tiny picture encoder whose vectors are a function of colors."""

import shutil
from pathlib import Path

import onnx
import onnx.parser

from genderprep import prep_digest
from genderprep.tensors import IMAGE_SIZE, MAX_TOKENS
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
