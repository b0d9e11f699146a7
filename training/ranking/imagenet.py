r"""Write the vectors of a network trained on ImageNet for the cards, to compare with the gallery's.

    python -m training.ranking.imagenet --cards CARDS.csv --weights MOBILENETV2.npz --out runs/imagenet.npy

As the gallery's, they are 32 whitened dimensions, fitted on the train split, of unit length. The network is MobileNetV2
at 64 pixels. Only the cards of the world of `training.ranking.ablate` are encoded; the others' vectors are zeros.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from sklearn.preprocessing import normalize

from genderprep import prepare_image

from ..arrays import FloatsND, ImagesNSS3
from ..data.bad_rows import ManifestError
from ..engine.errors import ConfigError
from ..pretrain.collapse import embed
from ..pretrain.encoder import imagenet_encoder
from ..pretrain.whitening import Whitening
from .ablation_data import WORLD
from .world import chosen_cards, read_cards

_SIZE: Final = 64
_DIMS: Final = 32


def imagenet_vectors(cards: pd.DataFrame, folder: Path, weights: Path) -> FloatsND:
    """Return the vectors [N, 32] of the cards of a world; `cards` has the columns picture and split."""
    rows = chosen_cards(cards, WORLD)
    pixels: ImagesNSS3 = np.stack(
        [prepare_image((folder / picture).read_bytes(), _SIZE)[0] for picture in cards["picture"].iloc[rows]]
    )
    features = embed(imagenet_encoder(weights, _SIZE), pixels)
    train = (cards["split"].iloc[rows] == "train").to_numpy()
    vectors = np.zeros((len(cards), _DIMS), np.float32)
    vectors[rows] = normalize(Whitening.fit(features[train], _DIMS).transform(features))
    return vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=Path, required=True, help="manifest of training.synthetic.cards")
    parser.add_argument("--pictures", type=Path, help="folder of the pictures; default: that of the CSV")
    parser.add_argument("--weights", type=Path, required=True, help="npz with ImageNet weights of MobileNetV2")
    parser.add_argument("--out", type=Path, required=True, help="npy file")
    args = parser.parse_args()
    try:
        vectors = imagenet_vectors(read_cards(args.cards), args.pictures or args.cards.parent, args.weights)
    except (ConfigError, ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"imagenet: {exc}") from exc
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.save(args.out, vectors)
    print(args.out)


if __name__ == "__main__":
    main()
