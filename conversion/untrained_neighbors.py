"""The neighbors of one card by an encoder before training, which `make run` shows beside those of the served one.

    python -m conversion.untrained_neighbors     # results/untrained_neighbors.json

The encoder has the served architecture, with random weights. The gallery is the served one; its cards are drawn again.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from picturegallery.files import read_gallery
from picturegallery.search import ExactSearch
from server.catalog import SIMILAR, Catalog
from training.arrays import FloatsND
from training.pretrain.collapse import embed
from training.pretrain.configs.served import get_config
from training.pretrain.methods import build
from training.pretrain.pictures import picture_pixels
from training.report import write_report

from .gallery_pictures import drawn_cards

ROOT: Final = Path(__file__).parent.parent
# Seed of a card that is not in the gallery.
QUERY_SEED: Final = 30_000
NEIGHBORS: Final = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="seed of the weights (default: %(default)s)")
    args = parser.parse_args()
    repository = ROOT / "model_repository"
    version = Catalog(repository).served_version("gallery", SIMILAR)
    gallery = read_gallery(repository / "gallery" / str(version))
    rows, _ = ExactSearch(untrained_vectors(gallery.about["first_seed"], len(gallery), args.seed)).nearest(
        untrained_vectors(QUERY_SEED, 1, args.seed)[0], NEIGHBORS
    )
    write_report(
        ROOT / "results" / "untrained_neighbors.json",
        seed=args.seed,
        query_seed=QUERY_SEED,
        gallery_version=version,
        pictures=gallery.ids[rows].tolist(),
    )


def untrained_vectors(first_seed: int, count: int, seed: int) -> FloatsND:
    """Return the vectors of cards, `[count, D]`, by an encoder whose weights are random."""
    config = replace(get_config(), seed=seed)
    pixels = np.stack([picture_pixels(card.encoded, config.size) for card in drawn_cards(first_seed, count)])
    return embed(build(config, steps=1).kept, pixels)


if __name__ == "__main__":
    main()
