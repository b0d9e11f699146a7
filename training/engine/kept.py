"""Keep arrays in a file for as long as what they were computed from stays the same."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..arrays import Arrays

_KEY: Final = "computed_from"


def kept(file: Path, computed_from: str, compute: Callable[[], Mapping[str, Any]]) -> Arrays:
    """Return the arrays that an npz holds, or compute and write them.

    Args:
        file: The npz.
        computed_from: Whatever the arrays depend on, such as a digest; arrays of another one are computed again.
        compute: Returns the arrays by name.
    """
    if (arrays := read_kept(file, computed_from)) is not None:
        return arrays
    computed: Arrays = {name: np.asarray(each) for name, each in compute().items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"new_{file.name}")
    np.savez_compressed(new, **computed, **{_KEY: np.array(computed_from)})
    new.replace(file)
    return computed


def read_kept(file: Path, computed_from: str) -> Arrays | None:
    """Return the arrays that an npz holds; None if there is none, or if they were computed from something else."""
    if not file.is_file():
        return None
    with np.load(file) as arrays:
        if str(arrays.get(_KEY, "")) != computed_from:
            return None
        return {name: arrays[name] for name in arrays if name != _KEY}
