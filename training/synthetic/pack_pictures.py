r"""Pack the real pictures of all sources into one small Parquet file, which `training.gender.pretrain` reads.

    python -m training.synthetic.pack_pictures --images IMAGES AVATARS --out runs/pictures.parquet

Each row has the columns of `training.synthetic.pictures`. Pictures of more than 144 pixels become smaller WebP; others
stay as they are, because compressing them once more would show less than users send.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image

from .pictures import read_pictures

# Larger than the model's input, for crops.
SIDE: Final = 144
_QUALITY: Final = 75


def pack(avatar: bytes) -> bytes:
    """Return a picture with at most `SIDE` pixels on its shorter side: a larger one as WebP, another unchanged."""
    with Image.open(BytesIO(avatar)) as image:
        image.load()
        scale = SIDE / min(image.size)
        if scale >= 1:
            return avatar
        small = image.convert("RGBA" if image.has_transparency_data else "RGB")
        small = small.resize([round(scale * side) for side in image.size], Image.Resampling.LANCZOS)
    buffer = BytesIO()
    small.save(buffer, "WEBP", quality=_QUALITY, method=2)
    return buffer.getvalue()


def _packed(identity: str, avatar: bytes) -> bytes:
    try:
        return pack(avatar)
    except Exception:  # on damaged bytes, decoders raise errors of any type
        raise ValueError(f"a picture of {identity} cannot be read; remove or replace it") from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders of sources")
    parser.add_argument("--out", type=Path, required=True, help="the Parquet file")
    args = parser.parse_args()
    try:
        table = read_pictures(*args.images)
    except (FileNotFoundError, ValueError) as exc:
        raise SystemExit(f"pack_pictures: {exc}") from exc
    with ThreadPoolExecutor() as pool:
        try:
            table["avatar"] = list(pool.map(_packed, table["identity"], table["avatar"]))
        except ValueError as exc:
            raise SystemExit(f"pack_pictures: {exc}") from exc
    args.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(args.out, index=False)
    print(table.groupby(["source", "split"]).size().unstack(fill_value=0).to_string())


if __name__ == "__main__":
    main()
