"""The rows of the table of embeddings: an encoder per seed, and what it makes of pictures."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Final

import keras
import numpy as np

from ..arrays import FloatsND
from ..engine.batch_norm import estimate_batch_norm
from .article import DUAL, IMAGENET, MOCO, NORMALIZED, SWAV, TITLED, UNTRAINED
from .collapse import embed
from .dual_encoder import embed_titles, picture_trunk
from .encoder import build_encoder, imagenet_encoder
from .methods import Config
from .pictures import Pictures, cached_pictures
from .run import run

METHODS: Final = {MOCO: "moco", SWAV: "swav", DUAL: "dual_encoder"}
SERVED: Final = f"{DUAL}, served"
# ImageNet weights are for width 1 and 224 pixels: at 32 pixels little would be left of them.
IMAGENET_SIZE: Final = 64
# Batches from which the statistics of an untrained encoder are estimated, and the pictures in each.
_BATCHES: Final = 10
_BATCH: Final = 128


@dataclass(frozen=True)
class Cards:
    """The manifests of the cards: `data` to pretrain on (its train split), and `test`, other cards drawn twice.

    The prepared pictures are kept in `folder`.
    """

    data: Path
    test: Path
    folder: Path

    @cache  # noqa: B019
    def train_at(self, size: int) -> Pictures:
        """Read the train pictures at a size."""
        return cached_pictures(self.data, size, self.folder).split("train")

    @cache  # noqa: B019
    def test_at(self, size: int) -> Pictures:
        """Read the test pictures at a size."""
        return cached_pictures(self.test, size, self.folder)


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        name: Its name.
        size: Side of its pictures in pixels.
        encoders: For each seed, what loads or trains the encoder.
        with_titles: Whether its embedding is the sum of the vectors of picture and title.
        fine_tuned: Whether the encoder is also fine-tuned.
    """

    name: str
    size: int
    encoders: tuple[Callable[[], keras.Model], ...]
    with_titles: bool = False
    fine_tuned: bool = True

    def embed(self, encoder: keras.Model, pictures: Pictures) -> FloatsND:
        """Embed pictures `[N, D]`."""
        vectors = embed(encoder, pictures.pixels)
        return vectors + embed_titles(encoder, pictures.titles) if self.with_titles else vectors


def trunk(encoder: keras.Model) -> keras.Model:
    """Return the part of a row's encoder that is fine-tuned, from pictures to features."""
    return encoder if len(encoder.inputs) == 1 else picture_trunk(encoder)


def rows(
    config: Config,
    methods: Collection[str],
    seeds: tuple[int, ...],
    cards: Cards,
    out: Path,
    imagenet: Path | None,
    served: Path | None,
) -> Iterator[Row]:
    """Yield the rows in the article's order.

    Args:
        config: The pretraining; method and seed are replaced.
        methods: The methods to pretrain, names in `METHODS`. Others have rows if their runs are finished.
        seeds: One run of each method per seed.
        cards: The manifests.
        out: Folder of the runs, `<method>_<seed>`.
        imagenet: ImageNet weights of MobileNetV2, an npz, from which the methods start; without them, their row is left
            out, and the methods start from random weights.
        served: The run whose encoder is served; without it, its row is left out.
    """
    size = config.size

    def pretrained(method: str, seed: int) -> keras.Model:
        return _load(run(replace(config, method=method, seed=seed), cards.data, out / f"{method}_{seed}", imagenet))

    def untrained(seed: int) -> keras.Model:
        keras.utils.set_random_seed(seed)
        return build_encoder(config.width, size)

    def normalized(seed: int) -> keras.Model:
        encoder, pixels = untrained(seed), cards.train_at(size).pixels[: _BATCHES * _BATCH].astype(np.float32)
        estimate_batch_norm(encoder, (pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)))
        return encoder

    yield Row(UNTRAINED, size, tuple(partial(untrained, seed) for seed in seeds))
    yield Row(NORMALIZED, size, tuple(partial(normalized, seed) for seed in seeds), fine_tuned=False)
    if imagenet is not None:
        yield Row(IMAGENET, IMAGENET_SIZE, (lambda: imagenet_encoder(imagenet, IMAGENET_SIZE),) * len(seeds))
    for name, method in METHODS.items():
        if method in methods or all(finished(out, method, seed) for seed in seeds):
            encoders = tuple(partial(pretrained, method, seed) for seed in seeds)
            yield Row(name, size, encoders)
            if name == DUAL:
                yield Row(TITLED, size, encoders, with_titles=True, fine_tuned=False)
    if served is not None:
        encoder = _load(served / "model.keras")
        pixels = encoder.inputs[0].shape[1]
        yield Row(SERVED, pixels, (lambda: encoder,), fine_tuned=False)
        yield Row(f"{SERVED}, picture + title", pixels, (lambda: encoder,), with_titles=True, fine_tuned=False)


def finished(out: Path, method: str, seed: int) -> bool:
    """Return whether a method's run of a seed is finished."""
    return (out / f"{method}_{seed}" / "report.json").is_file()


def _load(file: Path) -> keras.Model:
    return keras.saving.load_model(file, compile=False)
