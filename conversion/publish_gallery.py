"""Embed pictures and publish them as a version of the gallery.

    python -m conversion.publish_gallery --cards 400 --first-seed 20001     # cards drawn from these seeds
    python -m conversion.publish_gallery --manifest pictures.csv            # columns picture, title, id, likes, shows
    python -m conversion.publish_gallery --manifest new.csv --extend 1      # the pictures of version 1, and these

Pictures → `genderprep` → `screener` → `picture_encoder` → `model_repository/gallery/<version>/`, with the code of the
newest version and the digests of encoder and preprocessing. A picture that cannot be read is left out and reported with
its row. To serve the version, use `server.rollout`; beside an encoder with another digest, it refuses to load.

If the screener refuses a picture, nothing is published: the pictures are listed, and `--sheet` shows where the screener
looks. `--drop-unsuitable` publishes the others. `--force` publishes all of them; report and `gallery.json` record that,
and `server.rollout promote` then needs a `--force` of its own. Pictures of an extended version are not screened again.
"""

import argparse
import shutil
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np

from genderprep import prep_digest
from genderprep.digest import METADATA_KEY
from picturegallery.errors import GalleryError
from picturegallery.files import ENCODER_DIGEST, Gallery, read_gallery, write_gallery
from picturegallery.prerank import FILE as PRERANK
from picturegallery.prerank import PreRank
from server.catalog import EMBED, Catalog
from training.report import write_report

from .errors import FAILURES
from .gallery_pictures import Picture, drawn_cards, listed_pictures
from .gallery_screening import GalleryGate, Unsuitable, served_screener
from .gallery_vectors import Encoder, Prepared, prepared
from .install import installing, new_version
from .screening_sheet import write_sheet

ROOT: Final = Path(__file__).parent.parent
GALLERY: Final = "gallery"
ENCODER: Final = "picture_encoder"
_CODE: Final = ("model.py", "metrics.py", "picturegallery")


def publish_gallery(
    pictures: Iterable[Picture],
    repository: Path,
    *,
    encoder_version: int | None = None,
    extended: int | None = None,
    version: int | None = None,
    about: dict[str, Any] | None = None,
    prerank: Path | None = None,
    unsuitable: Unsuitable = "refuse",
    sheet: Path | None = None,
) -> tuple[Path, dict[int, str]]:
    """Publish pictures and return the version folder, and the reasons why rows were left out.

    Args:
        pictures: Those without an id get free ones, from 1 on.
        repository: A model repository with a gallery.
        encoder_version: The version of `picture_encoder`; by default the one that the ensemble embed serves.
        extended: A version of the gallery whose pictures come first.
        version: The version to publish; by default the next one.
        about: What else `gallery.json` records.
        prerank: The weights of the pre-rank, `prerank.npz` of `training.ranking.train`; by default those of the
            extended version, if it has some.
        unsuitable: What to do with pictures that the screener refuses.
        sheet: An HTML file that shows them; it is written only if there are any.

    Raises:
        UnsuitablePictures: The screener refuses pictures.
        GalleryError: No picture can be read, an id is invalid or occurs twice, the extended version has vectors of
            another encoder, or the weights of the pre-rank cannot be used.
        PrepMismatch: The encoder or the screener was trained with another preprocessing.
        CatalogError: The repository has no gallery or no encoder.
        FileNotFoundError: The version of the encoder or of the screener does not exist.
        FileExistsError: The version exists.
    """
    catalog = Catalog(repository)
    model = catalog.model(GALLERY)
    folder = new_version(model, version)
    served = catalog.served_version(ENCODER, EMBED) if encoder_version is None else encoder_version
    encoder = Encoder(catalog.model(ENCODER).folder / str(served) / "model.onnx")
    before = None if extended is None else _extended(model.folder / str(extended), encoder)
    refused: dict[int, str] = {}
    gate = GalleryGate(served_screener(catalog), unsuitable)
    gallery = build_gallery(gate.passed(prepared(pictures, refused), refused), refused, encoder, before, about or {})
    if gate.refusals and sheet:
        write_sheet(sheet, gate.refusals)
    gate.check()
    gallery.about.update(gate.facts(before))
    code = model.folder / str(model.versions[-1])
    with installing(folder) as staging:
        shutil.copytree(code, staging, ignore=_all_but_code, dirs_exist_ok=True)
        write_gallery(gallery, staging)
        weights = prerank or (model.folder / str(extended) / PRERANK if extended else None)
        if weights and (prerank or weights.is_file()):
            shutil.copyfile(weights, staging / PRERANK)
        PreRank.load(staging / PRERANK, gallery.vectors.shape[1])
    return folder, refused


def build_gallery(
    rows: Iterable[Prepared],
    refused: Mapping[int, str],
    encoder: Encoder,
    before: Gallery | None,
    about: dict[str, Any],
) -> Gallery:
    """Embed pictures behind those of `before`.

    Args:
        rows: Prepared pictures.
        refused: Why other rows are left out.
        encoder: Computes the vectors.
        before: The pictures that come first.
        about: What `gallery.json` records.

    Raises:
        GalleryError: There is no picture.
    """
    batches = list(encoder.embed(rows))
    kept = [picture for batch, _ in batches for picture in batch]
    if not kept:
        reason = f"; row 0: {refused[0]}" if refused else ""
        raise GalleryError(f"expected pictures, got none to publish{reason}")
    taken = {picture.id for picture in kept} | set(before.ids.tolist() if before else ())
    free = (number for number in count(1) if number not in taken)
    gallery = Gallery(
        np.concatenate([vectors for _, vectors in batches]).astype(np.float16),
        np.array([next(free) if picture.id is None else picture.id for picture in kept], np.int64),
        [picture.title for picture in kept],
        np.array([[picture.likes, picture.shows] for picture in kept], np.float32),
        {ENCODER_DIGEST: encoder.digest, METADATA_KEY: prep_digest(), **about},
    )
    return _joined(before, gallery) if before else gallery


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--cards", type=int, metavar="COUNT", help="draw so many cards")
    source.add_argument("--manifest", type=Path, help="CSV file with the column picture")
    parser.add_argument("--first-seed", type=int, default=1, help="seed of the first card")
    parser.add_argument("--extend", type=int, metavar="VERSION", help="keep the pictures of this version")
    parser.add_argument("--prerank", type=Path, metavar="FILE", help="prerank.npz of training.ranking.train")
    parser.add_argument("--encoder-version", type=int, help="default: the one that is served")
    parser.add_argument("--version", type=int, help="default: the next free one")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--drop-unsuitable", action="store_true", help="publish without what the screener refuses")
    choice.add_argument("--force", action="store_true", help="publish what the screener refuses, too")
    parser.add_argument("--sheet", type=Path, default=ROOT / "out" / "unsuitable.html", help="page that shows why")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    args = parser.parse_args()
    pictures = listed_pictures(args.manifest) if args.manifest else drawn_cards(args.first_seed, args.cards)
    try:
        folder, refused = publish_gallery(
            pictures,
            args.repository,
            encoder_version=args.encoder_version,
            extended=args.extend,
            version=args.version,
            about={} if args.manifest else {"first_seed": args.first_seed},
            prerank=args.prerank,
            unsuitable="drop" if args.drop_unsuitable else "force" if args.force else "refuse",
            sheet=args.sheet,
        )
    except (GalleryError, *FAILURES) as exc:
        raise SystemExit(f"publish_gallery: {exc}") from exc
    gallery = read_gallery(folder)
    write_report(
        args.repository.parent / "results" / "publish_gallery.json",
        version=int(folder.name),
        pictures=len(gallery),
        left_out=refused,
        **gallery.about,
    )
    for row, reason in refused.items():
        print(f"row {row} is left out: {reason}")
    print(f"{folder}: {len(gallery)} pictures")


def _extended(folder: Path, encoder: Encoder) -> Gallery:
    before = read_gallery(folder)
    if before.encoder_digest != encoder.digest:
        raise GalleryError(
            f"{GALLERY} {folder.name} has vectors of the encoder {before.encoder_digest[:12]}, but {ENCODER} "
            f"{encoder.file.parent.name} is {encoder.digest[:12]}; publish all pictures again, or name the encoder of "
            f"{GALLERY} {folder.name} by --encoder-version"
        )
    return before


def _joined(before: Gallery, new: Gallery) -> Gallery:
    return Gallery(
        np.concatenate([before.vectors, new.vectors]),
        np.concatenate([before.ids, new.ids]),
        before.titles + new.titles,
        np.concatenate([before.priors, new.priors]),
        # The seeds of the pictures no longer follow each other.
        {name: value for name, value in {**before.about, **new.about}.items() if name != "first_seed"},
    )


def _all_but_code(folder: str, names: list[str]) -> list[str]:
    """Choose what `copytree` ignores of a version folder."""
    if Path(folder).name.isdecimal():
        return [name for name in names if name not in _CODE]
    return [name for name in names if name == "__pycache__"]


if __name__ == "__main__":
    main()
