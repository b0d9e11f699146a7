"""Pack a manifest and its avatars into one small Parquet file, for example to train on another machine.

    python -m training.data.pack --data runs/benchmark/manifest.csv --out runs/benchmark.parquet --pixels 96

Avatars become squares of the size at which a run trains, as WebP. Bad rows are an error.
"""

import argparse
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from tqdm import tqdm

from genderprep import InvalidInput, prepare_image

from .manifest import ManifestError, read_manifest

# As many rows as `training/README.md` recommends for a row group with images.
ROW_GROUP: Final = 1000
QUALITY: Final = 80


def pack(manifest: Path, out: Path, pixels: int) -> Path:
    """Write the rows of `manifest` with avatars of `pixels` to the file `out`, and return it.

    Raises:
        ManifestError: The manifest or an avatar cannot be used.
        FileNotFoundError: The manifest or an avatar does not exist.
    """
    table = read_manifest(manifest)
    avatars = tqdm(zip(table.index, table["avatar"], strict=True), total=len(table), desc="avatars")
    packed = table.assign(avatar=[_webp(row, avatar, pixels, manifest) for row, avatar in avatars])
    out.parent.mkdir(parents=True, exist_ok=True)
    packed.to_parquet(out, index=False, row_group_size=ROW_GROUP)
    return out


def _webp(row: int, avatar: str | bytes, pixels: int, manifest: Path) -> bytes:
    """Return an avatar as a WebP of `pixels`; empty stays empty."""
    encoded = Path(avatar).read_bytes() if avatar and isinstance(avatar, str) else avatar or b""
    if not encoded:
        return b""
    try:
        image, _ = prepare_image(bytes(encoded), pixels)
    except InvalidInput as exc:
        raise ManifestError(f"{manifest}: row {row}: {exc}") from exc
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL, Parquet or a folder of Parquet")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file")
    parser.add_argument("--pixels", type=int, required=True, help="side of the avatars")
    args = parser.parse_args()
    try:
        print(pack(args.data, args.out, args.pixels))
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"pack: {exc}") from exc


if __name__ == "__main__":
    main()
