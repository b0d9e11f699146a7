"""Write the two `config.pbtxt` of each backbone from one pair of templates, so that backbones cannot drift apart.

python -m conversion.configs                  # rewrite those of every served backbone, keeping their versions
python -m conversion.configs --add resnet     # add the folders of another backbone, at version 1
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Final

from genderprep.tensors import EMBEDDING_SIZE, IMAGE_SIZE, LABELS, MAX_TOKENS
from server.catalog import CONFIG, Catalog, CatalogError
from server.checksums import record

ROOT: Final = Path(__file__).resolve().parents[1]
TEMPLATES: Final = Path(__file__).with_name("templates")


def render(backbone: str, version: int = 1, preprocess_version: int = 1) -> dict[str, str]:
    """The text of a backbone's configurations, by folder name: `<backbone>` and `gender_<backbone>`.

    Args:
        backbone: The name of the model, as in `training.gender.backbones`.
        version: The version of the model that the ensemble serves.
        preprocess_version: The version of `preprocess` that it serves.
    """
    values = {
        "BACKBONE": backbone,
        "VERSION": version,
        "PREPROCESS_VERSION": preprocess_version,
        "IMAGE_SIZE": IMAGE_SIZE,
        "MAX_TOKENS": MAX_TOKENS,
        "EMBEDDING_SIZE": EMBEDDING_SIZE,
    }
    folders = {backbone: "backbone", f"gender_{backbone}": "ensemble"}
    return {
        folder: Template((TEMPLATES / f"{template}.pbtxt").read_text(encoding="utf-8")).substitute(values)
        for folder, template in folders.items()
    }


def write_configs(repository: Path, add: str | None = None) -> None:
    """Write the configurations of the served backbones, and those of a new one, and record their checksums.

    Args:
        repository: The model repository.
        add: The name of a backbone that the repository lacks. Its weights are then published as version 1.

    Raises:
        CatalogError: The repository cannot be read, or a rollout is under way.
    """
    catalog = Catalog(repository)
    steps = {backbone: catalog.ensemble(backbone).steps for backbone in catalog.backbones()}
    if canaries := [each.name for each in catalog.ensembles() if each.is_canary]:
        raise CatalogError(f"expected no canary while configurations are rewritten, got {', '.join(canaries)}; end it")
    for backbone, versions in steps.items():
        _write(repository, render(backbone, versions[backbone], versions["preprocess"]))
    if add:
        _write(repository, render(add))
        # An ensemble's version folder is empty, which git would not keep.
        placeholder = repository / f"gender_{add}" / "1" / ".gitkeep"
        placeholder.parent.mkdir(exist_ok=True)
        placeholder.touch()
        record(placeholder, placeholder, repository)


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
    except CatalogError as exc:
        raise SystemExit(f"configs: {exc}") from exc


if __name__ == "__main__":
    main()
