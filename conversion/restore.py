r"""Restore a Keras image tower from its published int8 file, when the run that trained it is gone.

    python -m conversion.restore --tower explain_repository/gradcam_densenet/*/model.onnx --backbone densenet121 \
        --out runs/avatars_densenet --pictures runs/pictures.parquet

Writes a run like `training.gender.pretrain`, for a new fusion or a new text tower:
`training.gender.fuse --avatar runs/avatars_densenet/model.keras`. The weights are the stored levels times their steps.
Quantized again, with other pictures, some are rounded to another level. What int8 folded together stays folded: batch
normalization that was merged into a convolution is its bias, and channels keep the scales of their levels. With
`--pictures`, batch statistics are estimated on clean training pictures, so that the tower can be trained on:
`training.gender.pretrain --weights runs/avatars_densenet/model.keras`. Without, it is for inference.

Limits that are not 0, as of ReLU6, are stored in the scales only, so MobileNetV2 cannot be restored.
"""

import argparse
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from genderprep.digest import METADATA_KEY
from genderprep.tensors import IMAGE_SIZE
from training.engine.batch_norm import adopt_batch_norm
from training.gender.backbones import BACKBONES
from training.gender.model import AVATAR_ONLY, build_avatar_model
from training.gender.pictures import draw_batches, read_packed
from training.gender.pretraining import SHARES
from training.report import start_run, write_report
from training.trained_with import check_preprocessing

from .errors import FAILURES, ConversionError
from .export import read_metadata
from .graph import Graph
from .image_layers import PADDING_LEVEL
from .quantize import TOWER

Floats = NDArray[np.float32]
# Pictures of a batch, and batches, of which the statistics of batch normalization are estimated.
_BATCH: Final = 64
_BATCHES: Final = 24


class Stored:
    """The decoded weights of a tower of `conversion.gradcam`."""

    def __init__(self, tower: onnx.ModelProto) -> None:
        self.constants = Graph.of(tower).constants

    def has(self, name: str) -> bool:
        """Whether a layer has weights of its own in the file."""
        return f"{name}/weights/constant_0" in self.constants

    def __call__(self, name: str, axis: int = 0) -> tuple[Floats, Floats]:
        """Return weights and bias of a layer, whose outputs are an axis of the weights."""
        decoded = []
        for part, along in (("weights", axis), ("bias", 0)):
            levels, steps = (self.constants[f"{name}/{part}/constant_{index}"] for index in range(2))
            shape = [1] * levels.ndim
            shape[along] = -1
            decoded.append((levels * steps.reshape(shape)).astype(np.float32))
        weights, bias = decoded
        return weights, bias


def restore(tower: onnx.ModelProto, backbone: str) -> keras.Model:
    """Return the model of `build_avatar_model` with the weights of a published tower.

    Args:
        tower: A model of `conversion.gradcam`.
        backbone: A name in `BACKBONES`, whose rectifiers have no upper limit.

    Raises:
        ConversionError: The file holds another network, or the backbone's rectifiers have an upper limit.
    """
    model, stored = build_avatar_model(backbone, IMAGE_SIZE), Stored(tower)
    rescaling, network = _parts(model)
    try:
        _restore_network(network, stored, f"{TOWER}trunk/{network.name}/")
        model.get_layer("image_tower").get_layer("projection").set_weights(stored(f"{TOWER}projection", axis=1))
        model.get_layer(AVATAR_ONLY).set_weights(
            [stored.constants[f"gradcam/logit/constant_{index}"] for index in (1, 2)]
        )
    except (KeyError, ValueError) as exc:
        raise ConversionError(f"expected a tower of {backbone} by conversion.gradcam, got another: {exc}") from exc
    _normalize_pixels(network, rescaling)
    return model


def make_trainable(model: keras.Model, pictures: Path) -> None:
    """Estimate the batch statistics of a restored tower; its outputs stay the same.

    Args:
        model: A result of `restore`.
        pictures: A file of `training.synthetic.pack_pictures`.

    Raises:
        FileNotFoundError: The file does not exist.
        ManifestError: It is damaged, or a column is missing.
    """
    rescaling, network = _parts(model)
    train = read_packed(pictures, IMAGE_SIZE, "train")
    batches = draw_batches(train, SHARES, _BATCH, _BATCHES, seed=0, augmentation=None)
    adopt_batch_norm(network, (rescaling(images) for images, _ in batches))


def _parts(model: keras.Model) -> tuple[keras.layers.Rescaling, keras.Model]:
    """Return the normalization of the pixels and the network behind it."""
    layers = model.get_layer("image_tower").get_layer("trunk").layers
    (rescaling,) = (layer for layer in layers if isinstance(layer, keras.layers.Rescaling))
    (network,) = (layer for layer in layers if isinstance(layer, keras.Model))
    return rescaling, network


def _restore_network(network: keras.Model, stored: Stored, scope: str) -> None:
    """Set the weights of all layers. A convolution's bias moves to the batch normalizations behind it.

    `shifts` holds what is missing in each tensor because a Keras convolution has no bias.
    """
    shifts: dict[int, Floats] = {}

    def shift(tensor: Any) -> Floats:
        return shifts.get(id(tensor), np.zeros(tensor.shape[-1], np.float32))

    for layer in network.layers:
        name, is_stored = scope + layer.name, stored.has(scope + layer.name)
        if isinstance(layer, keras.layers.ReLU) and layer.max_value is not None:
            raise ConversionError(f"expected rectifiers without an upper limit, got {layer.max_value:g} in {name}")
        if isinstance(layer, keras.layers.Conv2D):
            weights, shifts[id(layer.output)] = stored(name)
            layer.set_weights([weights.transpose(2, 3, 1, 0)])
        elif isinstance(layer, keras.layers.BatchNormalization):
            _set_normalization(layer, shift(layer.input), *(stored(name) if is_stored else (None, None)))
        elif isinstance(layer, keras.layers.AveragePooling2D):
            # It was stored before the convolution whose output Keras averages.
            _scale_inputs(layer.input._keras_history.operation, stored(name)[0].sum(axis=(1, 2, 3)))
            shifts[id(layer.output)] = shift(layer.input)
        elif isinstance(layer, keras.layers.Concatenate):
            shifts[id(layer.output)] = np.concatenate([shift(each) for each in layer.input])


def _set_normalization(layer: Any, shift: Floats, weights: Floats | None, bias: Floats | None) -> None:
    """Let the layer compute weights · (x + shift) + bias, or x + shift if it was merged into a convolution."""
    gamma = np.ones_like(shift) if weights is None else weights.reshape(-1)
    beta = np.zeros_like(shift) if bias is None else bias
    layer.set_weights([gamma, beta, -shift, np.full_like(shift, 1 - layer.epsilon)])


def _scale_inputs(convolution: Any, gains: Floats) -> None:
    (kernel,) = convolution.get_weights()
    convolution.set_weights([kernel * gains[:, None]])


def _normalize_pixels(network: keras.Model, rescaling: Any) -> None:
    """Let the first convolution read normalized pixels; the stored one reads pixels minus `PADDING_LEVEL`."""
    first = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    (normalization,) = (node.operation for node in first._outbound_nodes)
    (kernel,) = first.get_weights()
    scale, offset = (np.asarray(each, np.float32)[:, None] for each in (rescaling.scale, rescaling.offset))
    first.set_weights([kernel / scale])
    gamma, beta, mean, variance = normalization.get_weights()
    mean = mean + (kernel * (PADDING_LEVEL + offset / scale)).sum(axis=(0, 1, 2))
    normalization.set_weights([gamma, beta, mean, variance])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tower", type=Path, required=True, help="ONNX file of conversion.gradcam")
    parser.add_argument("--backbone", choices=BACKBONES, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    parser.add_argument("--pictures", type=Path, help="file of training.synthetic.pack_pictures, to train on")
    args = parser.parse_args()
    try:
        tower = onnx.load(args.tower)
        digest = {METADATA_KEY: read_metadata(args.tower).get(METADATA_KEY, "none")}
        check_preprocessing(digest)
        model = restore(tower, args.backbone)
        if args.pictures:
            make_trainable(model, args.pictures)
        start_run(args.out)
        model.save(args.out / "model.keras")
        write_report(args.out / "report.json", backbone=args.backbone, restored=str(args.tower), **digest)
    except DecodeError as exc:
        raise SystemExit(f"restore: {args.tower} is no ONNX file; expected one of conversion.gradcam") from exc
    except FAILURES as exc:
        raise SystemExit(f"restore: {exc}") from exc
    print(args.out / "model.keras")


if __name__ == "__main__":
    main()
