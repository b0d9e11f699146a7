"""Weights are used with the preprocessing that they were trained with."""

from collections.abc import Mapping
from typing import Any

from genderprep import PrepMismatch, check_probes, prep_digest
from genderprep.digest import METADATA_KEY


def check_preprocessing(report: Mapping[str, Any]) -> None:
    """Check that the preprocessing of a run, as its report states it, is that of this checkout.

    Raises:
        PrepMismatch: It is another, or this machine decodes pictures differently.
    """
    check_probes()
    expected = prep_digest()
    # Pictures of early runs were prepared without a statement.
    if (actual := str(report.get(METADATA_KEY, expected))) != expected:
        raise PrepMismatch(
            f"expected a model trained with preprocessing {expected[:12]}, got {actual[:12]}; retrain it"
        )
