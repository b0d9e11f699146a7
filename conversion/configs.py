"""Write the `config.pbtxt` of each backbone and of its ensembles from templates, so that backbones cannot drift apart.

python -m conversion.configs                  # rewrite those of every served backbone, keeping their versions
python -m conversion.configs --add resnet     # add the folders of another backbone, at version 1
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Final

from genderprep.tensors import EMBEDDING_SIZE, IMAGE_SIZE, LABELS, MAX_TOKENS
from server.catalog import CONFIG, RANK, Catalog, CatalogError
from server.checksums import record

from .errors import FAILURES
from .ranking_head import LIST_SIZE

ROOT: Final = Path(__file__).resolve().parents[1]
TEMPLATES: Final = Path(__file__).with_name("templates")


def render(
    backbone: str, version: int = 1, preprocess_version: int = 1, ranking: Mapping[str, int] | None = None
) -> dict[str, str]:
    """The text of a backbone's configurations, by folder name: `<backbone>`, `gender_<backbone>`, `rank_<backbone>`.

    Args:
        backbone: The name of the model, as in `training.gender.backbones`.
        version: The version of the model that the ensemble serves.
        preprocess_version: The version of `preprocess` that it serves.
        ranking: The versions of all steps of the ensemble that ranks; by default, it is left out.
    """
    values = {
        "BACKBONE": backbone,
        "VERSION": version,
        "PREPROCESS_VERSION": preprocess_version,
        "IMAGE_SIZE": IMAGE_SIZE,
        "MAX_TOKENS": MAX_TOKENS,
        "EMBEDDING_SIZE": EMBEDDING_SIZE,
    }
    texts = {backbone: filled("backbone", values), f"gender_{backbone}": filled("ensemble", values)}
    if ranking:
        wired = {f"{name.upper()}_VERSION": ranking[name] for name in ("preprocess", "gallery", "ranker")}
        ranked = {**values, **wired, "VERSION": ranking[backbone], "LIST_SIZE": LIST_SIZE}
        texts[f"rank_{backbone}"] = filled("rank", ranked)
    return texts


def filled(template: str, values: Mapping[str, object]) -> str:
    """Return the text of a template of `TEMPLATES` with these values."""
    return Template((TEMPLATES / f"{template}.pbtxt").read_text(encoding="utf-8")).substitute(values)


def write_configs(repository: Path, add: str | None = None) -> None:
    """Write the configurations of the served backbones, and those of a new one, and record their checksums.

    Args:
        repository: The model repository.
        add: The name of a backbone that the repository lacks. Its weights are then published as version 1.

    Raises:
        CatalogError: The repository cannot be read or has a model of this name, or a rollout is under way.
    """
    catalog = Catalog(repository)
    if add and (repository / add).exists():
        raise CatalogError(f"{repository} has a model {add} already; choose another name for the backbone")
    steps = {backbone: catalog.ensemble(backbone).steps for backbone in catalog.backbones()}
    ranking = {each.backbone: each.steps for each in catalog.ensembles(RANK)}
    if canaries := [each.name for each in catalog.ensembles() if each.is_canary]:
        raise CatalogError(f"expected no canary while configurations are rewritten, got {', '.join(canaries)}; end it")
    for backbone, versions in steps.items():
        _write(repository, render(backbone, versions[backbone], versions["preprocess"], ranking.get(backbone)))
    if add:
        # The ensemble ranks with the gallery and the ranker of the others.
        others = next(iter(ranking.values()), None)
        preprocess = max((versions["preprocess"] for versions in steps.values()), default=1)
        ranked = {**others, "preprocess": preprocess, add: 1} if others else None
        texts = render(add, preprocess_version=preprocess, ranking=ranked)
        _write(repository, texts)
        for folder in texts.keys() - {add}:
            _add_version_folder(repository / folder, others["ranker"] if others and folder.startswith("rank_") else 1)


def _add_version_folder(ensemble: Path, version: int) -> None:
    """Add the folder of an ensemble's version. It is empty, which git would not keep."""
    placeholder = ensemble / str(version) / ".gitkeep"
    placeholder.parent.mkdir(exist_ok=True)
    placeholder.touch()
    record(placeholder, placeholder, ensemble.parent)


def _write(repository: Path, texts: Mapping[str, str]) -> None:
    for folder, text in texts.items():
        (repository / folder).mkdir(exist_ok=True)
        for name, content in {CONFIG: text, "labels.txt": "\n".join([*LABELS, ""])}.items():
            file = repository / folder / name
            file.write_text(content, encoding="utf-8")
            record(file, file, repository)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--add", metavar="BACKBONE", help="name of a new backbone")
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    args = parser.parse_args()
    try:
        write_configs(args.repository, args.add)
    except FAILURES as exc:
        raise SystemExit(f"configs: {exc}") from exc


if __name__ == "__main__":
    main()
