"""Each command as changes of files.

A canary adds versions to those that are loaded, and its end takes away those that nothing needs; to promote and to roll
back rewires one ensemble, to versions that are loaded already. An ensemble has the version of its backbone: answers say
which weights they are of, and none comes from the cache of another's.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from server.errors import LaunchError
from server.launch.checksums import check_files

from .config import Config, Versions
from .errors import LifecycleError
from .files import Changes
from .repository import BEFORE, CONFIG, PREPROCESS, Repository, versions_of

KEPT: Final = ".gitkeep"


def canary(repository: Repository, backbone: str, version: int) -> Changes:
    """`gender_<backbone>_canary` serves this version; what it served before if there was one stays loaded.

    Raises:
        LifecycleError: there is no such version, its preprocessing is missing, or a model file is not as published.
    """
    _check_files(repository)
    stable = repository.ensemble(backbone)
    wiring = repository.wiring(backbone, version)
    folder = repository.folder / f"gender_{backbone}_canary"
    config = _rewired(stable, wiring, backbone).named(folder.name, folder / CONFIG)
    labels = repository.folder / f"gender_{backbone}" / "labels.txt"
    return {
        **_loaded(repository, wiring),
        folder / "labels.txt": labels.read_text(encoding="utf-8"),
        **_folders(folder, keep=[version]),
        config.file: config.text,
    }


def _check_files(repository: Repository) -> None:
    """As the launcher does, which sees only what is there when it starts."""
    try:
        check_files(repository.folder)
    except LaunchError as exc:
        raise LifecycleError(str(exc)) from exc


def promote(repository: Repository, backbone: str) -> Changes:
    """`gender_<backbone>` serves what its canary serves, which stays: there are clients that ask for it.

    Raises:
        LifecycleError: there is no canary, it is promoted already, or what it serves does not belong together.
    """
    stable, canary = repository.ensemble(backbone), repository.canary(backbone)
    if canary is None:
        raise LifecycleError(f"gender_{backbone} has no canary to promote; start one: canary {backbone} <version>")
    if canary.wiring == stable.wiring:
        raise LifecycleError(
            f"gender_{backbone} serves what its canary does already: {backbone} {stable.wiring[backbone]}"
        )
    repository.check(canary.wiring)
    config = _rewired(stable, canary.wiring, backbone)
    return {
        **_loaded(repository, canary.wiring),
        stable.file.with_name(BEFORE): stable.text,
        **_folders(stable.file.parent, keep=[config.wiring[backbone], stable.wiring[backbone]]),
        config.file: config.text,
    }


def rollback(repository: Repository, backbone: str) -> Changes:
    """`gender_<backbone>` serves what it served before the last promotion.

    Raises:
        LifecycleError: nothing was promoted since, or what was served is gone.
    """
    stable, before = repository.ensemble(backbone), repository.before(backbone)
    if before is None:
        raise LifecycleError(
            f"gender_{backbone} has nothing to go back to: no promotion since the last rollback; "
            f"any version on disk can be served by canary and promote"
        )
    repository.check(before.wiring)
    return {
        **_loaded(repository, before.wiring),
        **_folders(stable.file.parent, keep=[before.wiring[backbone], stable.wiring[backbone]]),
        stable.file: before.text,
        before.file: None,
    }


def end(repository: Repository, backbone: str) -> Changes:
    """The canary goes, and with it all versions that no ensemble needs, now or to roll back.

    Raises:
        LifecycleError: no such backbone, or another ensemble leaves a version open.
    """
    stable, before = repository.ensemble(backbone), repository.before(backbone)
    folder = repository.folder / f"gender_{backbone}_canary"
    needed = versions_of(each for each in repository.ensembles() if each.file.parent != folder)
    models = {model: repository.model(model).serving(needed[model]) for model in (PREPROCESS, backbone)}
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {
        **dict.fromkeys(files, None),
        **_folders(stable.file.parent, keep=[each.wiring[backbone] for each in (stable, before) if each]),
        **{config.file: config.text for config in models.values()},
    }


def _rewired(ensemble: Config, wiring: Versions, backbone: str) -> Config:
    return ensemble.wired(wiring).serving([wiring[backbone]])


def _loaded(repository: Repository, wiring: Versions) -> Changes:
    """Whatever else is loaded, these versions are."""
    configs = ((repository.model(model), version) for model, version in wiring.items())
    return {
        config.file: config.serving(config.served | {version}).text
        for config, version in configs
        if version not in config.served
    }


def _folders(ensemble: Path, keep: Iterable[int]) -> Changes:
    """An ensemble's versions are folders with nothing in them, which git would forget."""
    wanted = dict.fromkeys((ensemble / str(version) / KEPT for version in keep), "")
    stale = (file for file in ensemble.glob(f"[0-9]*/{KEPT}") if file not in wanted)
    return {**wanted, **dict.fromkeys(stale, None)}
