"""The token vocabulary: special tokens, then characters and emoji, each with its id."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

VOCABULARY_FILE: Final = Path(__file__).with_name("vocab.json")

PAD: Final = "<PAD>"
UNK: Final = "<UNK>"
EMPTY: Final = "<EMPTY>"
# Of characters that the vocabulary lacks. Letters of any script have a bucket each, so that names stay apart.
CLASSES: Final = ("<EMOJI>", "<DIGIT>", "<PUNCT>", "<SYMBOL>", "<OTHER>")
RARE_LETTERS: Final = tuple(f"<RARE {bucket}>" for bucket in range(256))
SPECIAL_TOKENS: Final = (PAD, UNK, EMPTY, *CLASSES, *RARE_LETTERS)


@cache
def vocabulary() -> Mapping[str, int]:
    """Token to id, as `training.synthetic.vocabulary` wrote it."""
    tokens = json.loads(VOCABULARY_FILE.read_text(encoding="utf-8"))["tokens"]
    return {token: index for index, token in enumerate(tokens)}
