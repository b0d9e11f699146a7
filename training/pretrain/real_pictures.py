"""How good embeddings of pictures are that our generator has not drawn."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import keras
from sklearn.preprocessing import normalize

from .collapse import embed
from .neighbors import label_chance, label_consistency
from .pictures import Pictures, cached_pictures

_K: Final = 10


def measure_collections(
    manifests: Sequence[Path], encoders: Mapping[str, keras.Model], cache: Path
) -> list[dict[str, Any]]:
    """Return what share of the 10 nearest neighbors by cosine has a picture's theme, for each collection and encoder.

    `trained` is whether other pictures of the collection are in the split `train`.

    Args:
        manifests: With the columns picture, theme and card. With a column `collection`, each is measured alone; with
            a column `split`, pictures of `train` are left out.
        encoders: By name, from pictures float `[B, S, S, 3]` to embeddings, with the same S.
        cache: Folder that keeps the prepared pictures.

    Raises:
        ManifestError: A manifest cannot be used.
    """
    size = next(iter(encoders.values())).inputs[0].shape[1]
    return [
        {"collection": name, "trained": trained, **_measure(pictures, encoders)}
        for manifest in manifests
        for name, trained, pictures in _collections(cached_pictures(manifest, size, cache), manifest.stem)
    ]


def _collections(pictures: Pictures, stem: str) -> Iterator[tuple[str, bool, Pictures]]:
    """Yield name, `trained`, and the pictures to measure."""
    if "collection" not in pictures.table:
        yield stem, False, pictures
        return
    train = (pictures.table["split"] == "train").to_numpy()
    for name in sorted(set(pictures.table["collection"])):
        own = (pictures.table["collection"] == name).to_numpy()
        yield name, bool((own & train).any()), pictures.rows(own & ~train)


def _measure(pictures: Pictures, encoders: Mapping[str, keras.Model]) -> dict[str, Any]:
    """Compare the themes of neighbors; pictures of one card, near-duplicates, are no neighbors of each other."""
    themes, cards = (pictures.table[name].to_numpy() for name in ("theme", "card"))
    shares = {
        name: asdict(label_consistency(normalize(embed(encoder, pictures.pixels)), themes, _K, excluded=cards))
        for name, encoder in encoders.items()
    }
    return {"pictures": len(pictures), "themes": len(set(themes)), "chance": label_chance(themes), "rows": shares}
