r"""Tokenize the nicknames of a manifest once, for training on millions of them.

    python -m training.data.token_file --data runs/nicknames.parquet --out runs/nicknames.npz

The file holds the token ids and labels by split, and the digest of the preprocessing that they belong to. Nicknames
that count as missing are left out.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from genderprep import prep_digest
from genderprep.tensors import MAX_TOKENS

from ..arrays import Arrays, FloatsN1, IntsN, TokensNT
from .batches import Preparation
from .manifest import SPLITS, Manifest, ManifestError
from .stream import prepare_chunks
from .tables import read_arrays

# Batches that are drawn from one sorted block.
_BLOCK = 64


@dataclass(frozen=True)
class Nicknames:
    """Tokens, padded with 0, with labels (1 for female) and soft labels."""

    tokens: TokensNT
    female: FloatsN1
    p_female: FloatsN1

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> IntsN:
        """Tokens of each nickname."""
        lengths: IntsN = np.count_nonzero(self.tokens, axis=1)
        return lengths


def write_token_file(manifest: Manifest, file: Path) -> Path:
    """Tokenize all splits of a manifest; return the file.

    Raises:
        ManifestError: The manifest cannot be used, or a split has no nickname.
    """
    arrays: Arrays = {}
    for split in SPLITS:
        users = [part for _, part in prepare_chunks(manifest.tables(split), Preparation(manifest.bad_rows, None))]
        shown = [part.rows(part.present[:, 1]) for part in users]
        if not sum(map(len, shown)):
            raise ManifestError(f"{manifest.file}: expected nicknames in the split {split!r}, got none")
        tokens = np.concatenate([part.tokens for part in shown])
        arrays |= {
            f"{split}/tokens": tokens[tokens > 0].astype(np.uint16),
            f"{split}/lengths": np.count_nonzero(tokens, axis=1).astype(np.uint8),
            f"{split}/female": np.concatenate([part.female for part in shown]).astype(np.bool_),
            f"{split}/p_female": np.concatenate([part.p_female for part in shown]).astype(np.float16),
        }
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, prep_digest=prep_digest(), **arrays)
    return file


def read_token_file(file: Path, split: str) -> Nicknames:
    """Read a split of a token file.

    Raises:
        ManifestError: It is no npz file or lacks an array, or the tokens belong to another preprocessing.
        FileNotFoundError: It does not exist.
    """
    digest, lengths, shown, *labels = read_arrays(
        file, "prep_digest", *(f"{split}/{name}" for name in ("lengths", "tokens", "female", "p_female"))
    ).values()
    if str(digest) != prep_digest():
        raise ManifestError(
            f"{file}: expected tokens of preprocessing {prep_digest()[:12]}, got {str(digest)[:12]}; tokenize again"
        )
    tokens = np.zeros((len(lengths), MAX_TOKENS), np.int32)
    tokens[np.arange(MAX_TOKENS) < lengths[:, None]] = shown
    return Nicknames(tokens, *(label.astype(np.float32) for label in labels))


def batches_by_length(nicknames: Nicknames, batch: int, rng: Generator) -> Iterator[IntsN]:
    """Yield the rows of each batch of a pass, in random order. The nicknames of a batch are of similar length.

    The last incomplete batch is dropped.
    """
    rows, lengths = rng.permutation(len(nicknames)), nicknames.lengths
    for start in range(0, len(rows), _BLOCK * batch):
        block = rows[start : start + _BLOCK * batch]
        block = block[np.argsort(lengths[block], kind="stable")]
        for index in rng.permutation(len(block) // batch):
            yield block[index * batch : (index + 1) * batch]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="manifest: CSV, JSONL, Parquet or a folder of Parquet")
    parser.add_argument("--out", type=Path, required=True, help="npz file")
    args = parser.parse_args()
    try:
        print(write_token_file(Manifest(args.data), args.out))
    except (ManifestError, FileNotFoundError) as exc:
        raise SystemExit(f"token_file: {exc}") from exc


if __name__ == "__main__":
    main()
