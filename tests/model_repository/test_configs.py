"""The configurations, the ONNX files, the contract and the client's codec say the same."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from conversion import screener_model as screener
from conversion.export import read_metadata
from genderclient._questions import screening
from genderprep import prep_digest
from genderprep import tensors as names
from genderprep.digest import METADATA_KEY
from picturegallery import tensors
from picturegallery.history import HISTORY_SIZE
from picturegallery.prerank import CANDIDATE_SIZE
from server.catalog import Catalog, Ensemble
from tests.support.tritonserver import ROOT

REPOSITORY = ROOT / "model_repository"
CATALOG = Catalog(REPOSITORY)
BACKBONES = CATALOG.backbones()
ONNX_MODELS = [*BACKBONES, "picture_encoder", "screener", "ranker"]
PYTHON_MODELS = ("preprocess", "gallery")
GENDER_ENSEMBLES = [f"gender_{backbone}" for backbone in BACKBONES]
RANK_ENSEMBLES = [f"rank_{backbone}" for backbone in BACKBONES]
ENSEMBLES = [*GENDER_ENSEMBLES, *RANK_ENSEMBLES, "rank_embedding", "embed", "similar", "screen"]
MODELS = (*PYTHON_MODELS, *ONNX_MODELS, *ENSEMBLES)
LISTS = ("HISTORY", "CANDIDATES", "SEED")
Tensors = dict[str, tuple[str, list[int]]]

PICTURE: Tensors = {names.PICTURE: ("TYPE_STRING", [1]), names.TITLE: ("TYPE_STRING", [1])}
USER: Tensors = {names.AVATAR: ("TYPE_STRING", [1]), names.NICKNAME: ("TYPE_STRING", [1])}
PREPARED: Tensors = {
    names.IMAGE: ("TYPE_UINT8", [names.IMAGE_SIZE, names.IMAGE_SIZE, 3]),
    names.TOKENS: ("TYPE_INT32", [names.MAX_TOKENS]),
    names.PRESENT: ("TYPE_BOOL", [len(names.MODALITIES)]),
}
ANSWER: Tensors = {
    names.PROBABILITIES: ("TYPE_FP32", [len(names.LABELS)]),
    names.WEIGHTS: ("TYPE_FP32", [len(names.MODALITIES)]),
    names.EMBEDDING: ("TYPE_FP32", [names.EMBEDDING_SIZE]),
}
VECTORS: Tensors = {tensors.VECTOR: ("TYPE_FP32", [32]), tensors.TITLE_VECTOR: ("TYPE_FP32", [32])}
SCREENED: Tensors = {
    screener.ATTRIBUTES: ("TYPE_FP32", [len(screening.ATTRIBUTES)]),
    screener.SCORES: ("TYPE_FP32", [2]),
    screener.REFUSED: ("TYPE_BOOL", [len(screening.ATTRIBUTES)]),
    screener.SUITABLE: ("TYPE_BOOL", [1]),
}
CHOICE: Tensors = {tensors.PICTURE_ID: ("TYPE_INT64", [1]), tensors.K: ("TYPE_INT64", [1])}
NEIGHBORS: Tensors = {tensors.PICTURES: ("TYPE_INT64", [-1]), tensors.SCORES: ("TYPE_FP32", [-1])}
REQUEST: Tensors = {"HISTORY": ("TYPE_INT64", [-1]), "CANDIDATES": ("TYPE_INT64", [-1]), "SEED": ("TYPE_INT64", [1])}
STORED: Tensors = {name: ANSWER[name] for name in (names.EMBEDDING, names.PROBABILITIES)}
RANKING: Tensors = {
    "HISTORY_VECTORS": ("TYPE_FP32", [HISTORY_SIZE, 32]),
    "HISTORY_MASK": ("TYPE_BOOL", [HISTORY_SIZE]),
    "CANDIDATE_IDS": ("TYPE_INT64", [CANDIDATE_SIZE]),
    "CANDIDATE_VECTORS": ("TYPE_FP32", [CANDIDATE_SIZE, 32]),
    "CANDIDATE_MASK": ("TYPE_BOOL", [CANDIDATE_SIZE]),
    "CANDIDATE_PRIORS": ("TYPE_FP32", [CANDIDATE_SIZE]),
    "NOISE": ("TYPE_FP32", [CANDIDATE_SIZE]),
    "EXPLORE": ("TYPE_BOOL", [1]),
}
LIST: Tensors = {
    "PICTURES": ("TYPE_INT64", [20]),
    "SCORES": ("TYPE_FP32", [20]),
    "PROPENSITIES": ("TYPE_FP32", [20]),
}
# Inputs that a request may leave out; all others are required.
OPTIONAL = {
    "preprocess": {names.AVATAR, names.NICKNAME, names.PICTURE, names.TITLE},
    "gallery": {tensors.VECTOR, tensors.PICTURE_ID, tensors.K, *STORED, *LISTS},
    **{ensemble: set(LISTS) for ensemble in [*RANK_ENSEMBLES, "rank_embedding"]},
    "embed": {names.TITLE},
    "similar": {tensors.PICTURE_ID, tensors.K},
}
SIGNATURES = {
    "preprocess": (USER | PICTURE, PREPARED),
    "picture_encoder": (PREPARED, VECTORS),
    "gallery": (
        {tensors.VECTOR: VECTORS[tensors.VECTOR]} | CHOICE | STORED | REQUEST,
        NEIGHBORS | RANKING,
    ),
    "ranker": (STORED | RANKING, LIST),
    "rank_embedding": (STORED | REQUEST, LIST),
    **dict.fromkeys(RANK_ENSEMBLES, (USER | REQUEST, ANSWER | LIST)),
    "embed": (PICTURE, VECTORS),
    "similar": ({names.PICTURE: PICTURE[names.PICTURE]} | CHOICE, NEIGHBORS),
    "screener": ({name: PREPARED[name] for name in (names.IMAGE, names.PRESENT)}, SCREENED),
    "screen": ({names.PICTURE: PICTURE[names.PICTURE]}, SCREENED),
    **dict.fromkeys(BACKBONES, (PREPARED, ANSWER)),
    **dict.fromkeys(GENDER_ENSEMBLES, (USER, ANSWER)),
}
ONNX_TYPES = {
    "TYPE_UINT8": onnx.TensorProto.UINT8,
    "TYPE_INT32": onnx.TensorProto.INT32,
    "TYPE_INT64": onnx.TensorProto.INT64,
    "TYPE_BOOL": onnx.TensorProto.BOOL,
    "TYPE_FP32": onnx.TensorProto.FLOAT,
}
PARAMETERS = {
    "preprocess": {f"{METADATA_KEY}_1": prep_digest()},
    **{model: {"intra_op_thread_count": "1"} for model in ONNX_MODELS},
    **{f"gender_{backbone}": {"role": "gender", "backbone": backbone} for backbone in BACKBONES},
    **{f"rank_{backbone}": {"role": "rank", "backbone": backbone} for backbone in BACKBONES},
    "rank_embedding": {"role": "rank"},
    "gallery": {},
    "embed": {"role": "embed", "backbone": "picture_encoder"},
    "similar": {"role": "similar", "backbone": "gallery"},
    "screen": {"role": "screen", "backbone": "screener"},
}


def config_of(model: str) -> Any:
    """Parsed by Triton's own protobuf, which refuses every key that it does not know."""
    text = (REPOSITORY / model / "config.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def tensors_of(fields: Any) -> Tensors:
    return {t.name: (model_config_pb2.DataType.Name(t.data_type), list(t.dims)) for t in fields}


def onnx_files(model: str) -> list[Path]:
    return sorted((REPOSITORY / model).glob("*/model.onnx"))


def onnx_tensors(values: Any) -> dict[str, tuple[int, list[int]]]:
    """Without the batch dimension, which must be free."""
    result = {}
    for value in values:
        batch, *dims = value.type.tensor_type.shape.dim
        assert not batch.HasField("dim_value")
        result[value.name] = (value.type.tensor_type.elem_type, [dim.dim_value for dim in dims])
    return result


def test_every_folder_is_part_of_an_ensemble() -> None:
    folders = {folder.name for folder in REPOSITORY.iterdir() if folder.is_dir()}
    assert folders == {name for ensemble in CATALOG.ensembles() for name in (ensemble.name, *ensemble.steps)}
    assert folders == {name for name, model in CATALOG.models().items() if model.folder.name == name}


@pytest.mark.parametrize("ensemble", CATALOG.ensembles(), ids=lambda ensemble: ensemble.name)
def test_ensemble_has_role_and_explicit_versions(ensemble: Ensemble) -> None:
    assert ensemble.role
    assert ensemble.backbone in {"", *ensemble.steps}
    assert all(version in CATALOG.model(step).versions for step, version in ensemble.steps.items())
    assert CATALOG.model(ensemble.name).versions


@pytest.mark.parametrize("model", MODELS)
def test_tensors_match_genderprep(model: str) -> None:
    config = config_of(model)
    assert (tensors_of(config.input), tensors_of(config.output)) == SIGNATURES[model]
    assert {field.name for field in config.input if field.optional} == OPTIONAL.get(model, set())
    assert config.max_batch_size == 32


@pytest.mark.parametrize("model", MODELS)
def test_backend(model: str) -> None:
    config = config_of(model)
    expected = (
        ("python", "") if model in PYTHON_MODELS else ("", "ensemble" if model in ENSEMBLES else "onnxruntime_onnx")
    )
    assert (config.backend, config.platform) == expected


@pytest.mark.parametrize("model", MODELS)
def test_parameters(model: str) -> None:
    parameters = {key: value.string_value for key, value in config_of(model).parameters.items()}
    assert parameters == PARAMETERS[model]


@pytest.mark.parametrize("model", [*BACKBONES, *GENDER_ENSEMBLES])
def test_label_file(model: str) -> None:
    files = {output.name: output.label_filename for output in config_of(model).output}
    assert files == {names.PROBABILITIES: "labels.txt", names.WEIGHTS: "", names.EMBEDDING: ""}
    assert (REPOSITORY / model / "labels.txt").read_text().split("\n") == [*names.LABELS, ""]


@pytest.mark.parametrize("model", ["screener", "screen"])
def test_labels_of_the_screener_are_those_of_the_client(model: str) -> None:
    files = {output.name: output.label_filename for output in config_of(model).output}
    assert files == {**dict.fromkeys(SCREENED, ""), screener.ATTRIBUTES: "labels.txt"}
    assert (REPOSITORY / model / "labels.txt").read_text().split() == list(screening.ATTRIBUTES)
    for file in onnx_files("screener"):
        assert json.loads(read_metadata(file)["attributes"]) == list(screening.ATTRIBUTES)


@pytest.mark.parametrize("model", ["preprocess", *ONNX_MODELS])
def test_instances_are_explicit_and_on_cpu_and_the_first_is_preferred(model: str) -> None:
    groups = config_of(model).instance_group
    assert {group.kind for group in groups} == {model_config_pb2.ModelInstanceGroup.KIND_CPU}
    assert [(group.count, group.rate_limiter.priority) for group in groups] == [(1, 1), (1, 10_000)]


@pytest.mark.parametrize("model", ONNX_MODELS)
def test_batching_has_no_queue_delay(model: str) -> None:
    config = config_of(model)
    assert config.WhichOneof("scheduling_choice") == "dynamic_batching"
    assert config.dynamic_batching.max_queue_delay_microseconds == 0


def test_preprocess_has_no_batching() -> None:
    assert config_of("preprocess").WhichOneof("scheduling_choice") is None


@pytest.mark.parametrize("model", [*PYTHON_MODELS, *ONNX_MODELS])
def test_warmup_has_every_input(model: str) -> None:
    config = config_of(model)
    assert config.model_warmup
    for sample in config.model_warmup:
        given = {
            name: (model_config_pb2.DataType.Name(value.data_type), list(value.dims))
            for name, value in sample.inputs.items()
        }
        inputs = SIGNATURES[model][0]
        assert given.items() <= inputs.items()
        assert inputs.keys() - OPTIONAL.get(model, set()) <= given.keys()
        assert 1 <= sample.batch_size <= config.max_batch_size


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_ensemble_wires_every_tensor(ensemble: str) -> None:
    steps = config_of(ensemble).ensemble_scheduling.step
    assert steps[0].model_name == ("gallery" if ensemble == "rank_embedding" else "preprocess")
    known, answer = map(dict, SIGNATURES[ensemble])
    for step in steps:
        inputs, outputs = SIGNATURES[step.model_name]
        given = {name: known[source] for name, source in step.input_map.items()}
        assert given.items() <= inputs.items()
        assert inputs.keys() - OPTIONAL.get(step.model_name, set()) <= given.keys()
        assert step.output_map.keys() <= outputs.keys()
        known |= {target: outputs[name] for name, target in step.output_map.items()}
    assert {name: known[name] for name in answer} == answer


@pytest.mark.parametrize("model", ONNX_MODELS)
def test_onnx_tensors_match_config(model: str) -> None:
    files = onnx_files(model)
    assert files
    for file in files:
        graph = onnx.load(file).graph
        for values, expected in zip((graph.input, graph.output), SIGNATURES[model], strict=True):
            assert onnx_tensors(values) == {name: (ONNX_TYPES[kind], dims) for name, (kind, dims) in expected.items()}


@pytest.mark.parametrize("model", ONNX_MODELS)
def test_onnx_opset_is_old_enough(model: str) -> None:
    for file in onnx_files(model):
        loaded = onnx.load(file)
        assert loaded.ir_version <= 10
        assert {entry.domain: entry.version for entry in loaded.opset_import}[""] <= 17
        assert {node.domain for node in loaded.graph.node} <= {"", "ai.onnx", "com.microsoft"}


@pytest.mark.parametrize("model", ONNX_MODELS)
def test_onnx_digest_matches_preprocessing(model: str) -> None:
    for file in onnx_files(model):
        metadata = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
        assert metadata[METADATA_KEY] == prep_digest()


@pytest.mark.parametrize("model", ONNX_MODELS)
def test_onnx_files_stay_small(model: str) -> None:
    assert all(file.stat().st_size < 16 * 10**6 for file in onnx_files(model))
