"""The table of `results/avatars_<backbone>.json` for the model card."""

from collections.abc import Mapping
from typing import Any, Final

from training.report import markdown_table

_VIEWS: Final = {"clean": "as they are", "small": "small", "blurred": "blurred"}
_GROUPS: Final = {
    "source faces_fairface": "all",
    "East and South-East Asian": "East and Southeast Asian",
    "origin East Asian": "East Asian",
}


def faces(towers: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of the image towers on FairFace photos, as they are, with small faces and blurred.

    Args:
        towers: The metrics of `training.gender.evaluate_tower`, by model.
    """
    rows = []
    for view, how in _VIEWS.items():
        for group, who in _GROUPS.items():
            of_models = [metrics[view][group] for metrics in towers.values()]
            cells = [cell for each in of_models for cell in (f"{each['auc']:.3f}", _recalls(each))]
            rows.append((how, f"{who} ({of_models[0]['users']})", *cells))
    columns = [title for model in towers for title in (f"{model}: AUC", f"{model}: recall of women / men")]
    return markdown_table(rows, ("", "photos", *columns))


def _recalls(metrics: Mapping[str, Any]) -> str:
    return "{recall_female:.0%} / {recall_male:.0%}".format(**metrics)
