"""Label maps: the manifest's own labels by name, such as `{"女": "female", "男": "male"}`. No label is guessed."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from genderprep.tensors import LABELS

from .bad_rows import ManifestError

LabelMap = Mapping[str, str]
OPTION: Final = "--label-map"


def check_label_map(label_map: LabelMap) -> None:
    """Check that a map gives every label one of `male` and `female`, and leaves these two as they are.

    Raises:
        ManifestError: It does not.
    """
    targets = set(label_map.values())
    if not targets <= {*LABELS} or "" in label_map or any(label_map.get(label, label) != label for label in LABELS):
        raise ManifestError(f"expected a label map from your labels to {' or '.join(LABELS)}, such as 女=female")


def add_label_map(parser: argparse.ArgumentParser) -> None:
    """Add the option `--label-map`, which may be repeated."""
    parser.add_argument(
        OPTION,
        action=_AddLabel,
        default={},
        metavar="LABEL=male|female",
        help="a label of your manifest, such as 女=female; repeat it for each label",
    )


class _AddLabel(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _: str | None = None,
    ) -> None:
        label, _equals, gender = str(values).rpartition("=")
        known = getattr(namespace, self.dest)
        try:
            check_label_map({label: gender})
        except ManifestError as exc:
            parser.error(f"{OPTION}: {exc}")
        if known.get(label, gender) != gender:
            parser.error(f"{OPTION}: expected one gender for each label, got two for the same label")
        setattr(namespace, self.dest, known | {label: gender})
