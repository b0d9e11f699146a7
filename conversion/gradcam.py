r"""Publish the Grad-CAM of a served backbone: where in the avatar its image tower sees the gender it answers.

    python -m conversion.gradcam --run runs/mobilenet --model mobilenet

The explained score is the logit of the image tower alone, a head that training has and serving drops:
logit = w · ReLU(Kᵀ m + b) + c, where m is the mean of the tower's last maps A over P places. One ReLU follows the mean,
so the gradient needs no training framework (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391, equations 1, 2):

    α = K (w · 1[Kᵀ m + b > 0]) / P        the mean over all places of ∂logit/∂A
    heat = ReLU(sign(logit) · Σ_c α_c A_c)  for the gender that the logit is in favor of

The graph is the published one from the pixels to the features, in its own int8, with these operations behind it. Git
compresses the weights against those of the backbone, which have the same bytes.
"""

import argparse
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from genderprep.tensors import IMAGE, IMAGE_SIZE, MAX_TOKENS, PRESENT
from server.catalog import CONFIG, Catalog
from server.checksums import record
from training.gender.model import AVATAR_ONLY, load_model
from training.gender.tower_teacher import LOGIT as LOGIT
from training.report import read_run

from .configs import filled
from .errors import FAILURES, ConversionError
from .export import read_metadata, stamp
from .graph import Graph, Tensor
from .quantize import TOWER

ROOT: Final = Path(__file__).resolve().parents[1]
HEAT: Final = "HEAT"
# The file whose image tower is explained: SHA-256, in the metadata.
EXPLAINS: Final = "explains"

# Kernel [D, 1] and bias [1] of a logit of the tower's features.
Head = tuple[NDArray[np.float32], NDArray[np.float32]]


def gradcam_model(backbone: onnx.ModelProto, head: Head) -> onnx.ModelProto:
    """Build the graph from `IMAGE` and `PRESENT` to `HEAT` [B, H, W] and `LOGIT` [B, 1].

    A missing avatar has the logit 0 and no heat.

    Args:
        backbone: A model of `to_onnx` or `to_int8`.
        head: The weights of the layer `AVATAR_ONLY`.

    Raises:
        ConversionError: The graph has no image tower that averages its maps and projects them.
    """
    graph = Graph.of(backbone)
    maps, features, projection = _tower(graph)
    height, width = _size(backbone, maps)
    kernel, bias = (np.asarray(each, np.float32) for each in head)
    shown = graph.add("Cast", PRESENT, name="gradcam/present", to=onnx.TensorProto.FLOAT)
    shown, _ = graph.split(shown, 2, "gradcam/shown")
    logit = graph.add("Mul", graph.add("Gemm", features, kernel, bias, name="gradcam/logit"), shown, name=LOGIT)
    active = graph.add("Greater", features, np.array(0, np.float32), name="gradcam/active")
    active = graph.add("Cast", active, name="gradcam/mask", to=onnx.TensorProto.FLOAT)
    through = graph.add("Mul", active, kernel.T, name="gradcam/through")
    alpha = graph.add("Gemm", through, projection, name="gradcam/alpha", transB=1, alpha=1 / (height * width))
    alpha = graph.add("Mul", alpha, graph.add("Sign", logit, name="gradcam/sign"), name="gradcam/signed")
    alpha = graph.add("Unsqueeze", alpha, np.array([2, 3], np.int64), name="gradcam/column")
    weighted = graph.add("Mul", maps, alpha, name="gradcam/weighted")
    total = graph.add("ReduceSum", weighted, np.array([1], np.int64), name="gradcam/total", keepdims=0)
    graph.add("Relu", total, name=HEAT)
    graph.nodes = graph.leading_to([HEAT, LOGIT])
    inputs = [value for value in backbone.graph.input if value.name in (IMAGE, PRESENT)]
    shapes: dict[str, list[int]] = {HEAT: [height, width], LOGIT: [1]}
    outputs = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *dims]) for name, dims in shapes.items()
    ]
    return graph.model(inputs, outputs)


def render(backbone: str, version: int, heat: tuple[int, int], preprocess_version: int = 1) -> dict[str, str]:
    """The text of both configurations by folder name: `gradcam_<backbone>` and its ensemble `explain_<backbone>`.

    Args:
        backbone: The name of the explained model.
        version: Its version, which is that of both folders.
        heat: Height and width of `HEAT`.
        preprocess_version: The version of `preprocess` that prepares its pixels.
    """
    values = {
        "BACKBONE": backbone,
        "VERSION": version,
        "PREPROCESS_VERSION": preprocess_version,
        "IMAGE_SIZE": IMAGE_SIZE,
        "MAX_TOKENS": MAX_TOKENS,
        "HEIGHT": heat[0],
        "WIDTH": heat[1],
    }
    return {f"{template}_{backbone}": filled(template, values) for template in ("gradcam", "explain")}


def publish(run: Path, model: str, repository: Path, target: Path) -> Path:
    """Write the Grad-CAM of the served version of `model` to the repository `target`; return its ONNX file.

    Raises:
        CatalogError: The repository serves no such model.
        ConversionError: The model cannot be explained, or was published from another run.
        FileNotFoundError: The run does not exist, or has no model.
    """
    catalog = Catalog(repository)
    source, version = catalog.served_onnx(model), catalog.served_version(model)
    metadata, date = read_metadata(source), read_run(run)["date"]
    if metadata["trained"] != date:
        raise ConversionError(
            f"expected the run that {model} {version} was published from, of {metadata['trained']}, got one of {date}"
        )
    kernel, bias = load_model(run / "model.keras").get_layer(AVATAR_ONLY).get_weights()
    explained = gradcam_model(onnx.load(source), (kernel, bias))
    stamp(explained, {**metadata, EXPLAINS: sha256(source.read_bytes()).hexdigest()})
    height, width = (dim.dim_value for dim in explained.graph.output[0].type.tensor_type.shape.dim[1:])
    texts = render(model, version, (height, width), catalog.ensemble(model).steps["preprocess"])
    files = {target / folder / CONFIG: text.encode() for folder, text in texts.items()}
    files[target / f"explain_{model}" / str(version) / ".gitkeep"] = b""
    files[file := target / f"gradcam_{model}" / str(version) / "model.onnx"] = explained.SerializeToString()
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        record(path, path, target)
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="the run that was published, for the tower's own head")
    parser.add_argument("--model", required=True, help="a served model, such as mobilenet")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    parser.add_argument("--out", type=Path, default=ROOT / "explain_repository")
    args = parser.parse_args()
    try:
        print(publish(args.run, args.model, args.repository, args.out))
    except FAILURES as exc:
        raise SystemExit(f"gradcam: {exc}") from exc


def _tower(graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    """Return the maps that the image tower averages, its features, and the kernel `[C, D]` between them."""
    nodes = [node for node in graph.nodes if node.name.startswith(TOWER)]
    averages = [node for node in nodes if node.op_type == "GlobalAveragePool"]
    projections = [node for node in nodes if node.op_type == "Gemm"]
    if len(averages) != 1 or len(projections) != 1:
        raise ConversionError(
            f"expected an image tower with one mean of its maps and one projection, got {len(averages)} and "
            f"{len(projections)}"
        )
    (rectifier,) = graph.readers()[projections[0].output[0]]
    return averages[0].input[0], rectifier.output[0], projections[0].input[1]


def _size(model: onnx.ModelProto, maps: Tensor) -> tuple[int, int]:
    values = onnx.shape_inference.infer_shapes(model).graph.value_info
    (shape,) = (value.type.tensor_type.shape for value in values if value.name == maps)
    height, width = (dim.dim_value for dim in shape.dim[2:])
    return height, width


if __name__ == "__main__":
    main()
