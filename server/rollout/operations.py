"""Each rollout command as changes of files, or a RolloutError that says why it cannot be carried out.

A canary adds versions to those that are loaded; its end removes those that no ensemble uses. Promotion and rollback
switch one ensemble to versions that are loaded already. An ensemble has the version of its leading model, so that
answers name their weights and the response cache never mixes the answers of two versions.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from server.errors import RolloutError

from .config_file import ConfigFile
from .files import FileChanges
from .repository import PREVIOUS, Repository, leading, versions_in

PLACEHOLDER: Final = ".gitkeep"


def canary(repository: Repository, name: str, version: int) -> FileChanges:
    """Serve this version beside the stable ensemble, as its canary."""
    stable, file = repository.stable(name), repository.canary_file(name)
    steps = repository.steps_of(name, version)
    labels = stable.folder / "labels.txt"
    return {
        **_load(repository, steps),
        **({file.with_name(labels.name): labels.read_text(encoding="utf-8")} if labels.is_file() else {}),
        **_version_folders(file.parent, keep=[version]),
        file: _switched(stable, steps).renamed(file.parent.name, file).text,
    }


def promote(repository: Repository, name: str, force: bool = False) -> FileChanges:
    """Serve the canary's version in the stable ensemble; the canary stays, because clients still use it."""
    stable, canary = repository.stable(name), repository.canary(name)
    model = leading(stable)
    if canary is None:
        raise RolloutError(f"{stable.name} has no canary to promote; start one: canary {name} <version>")
    if canary.steps == stable.steps:
        raise RolloutError(f"{stable.name} already serves its canary's version: {model} {stable.steps[model]}")
    repository.check(canary.steps)
    version = canary.steps[model]
    if repository.is_forced(model, version) and not force:
        raise RolloutError(
            f"{model} {version} was published with --force although a gate rejected it; "
            f"see results/publish_{model}.json, and publish a better version or promote with --force"
        )
    return {
        **_load(repository, canary.steps),
        stable.file.with_name(PREVIOUS): stable.text,
        **_version_folders(stable.folder, keep=[version, stable.steps[model]]),
        stable.file: _switched(stable, canary.steps).text,
    }


def rollback(repository: Repository, name: str) -> FileChanges:
    """Serve in the stable ensemble what it served before the last promotion."""
    stable, previous = repository.stable(name), repository.previous(name)
    model = leading(stable)
    if previous is None:
        raise RolloutError(
            f"{stable.name} has no previous version: it was not promoted since the last rollback; "
            f"to serve another version on disk, use canary and promote"
        )
    repository.check(previous.steps)
    return {
        **_load(repository, previous.steps),
        **_version_folders(stable.folder, keep=[previous.steps[model], stable.steps[model]]),
        stable.file: previous.text,
        previous.file: None,
    }


def end(repository: Repository, name: str) -> FileChanges:
    """Remove the canary, and unload every version that no ensemble uses or would use after a rollback."""
    stable, previous = repository.stable(name), repository.previous(name)
    folder = repository.canary_file(name).parent
    needed = versions_in(each for each in repository.ensembles() if each.folder != folder)
    models = [repository.model(each).with_served(needed[each]) for each in stable.steps]
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {
        **dict.fromkeys(files, None),
        **_version_folders(stable.folder, keep=[each.steps[leading(each)] for each in (stable, previous) if each]),
        **{model.file: model.text for model in models},
    }


def _switched(ensemble: ConfigFile, steps: dict[str, int]) -> ConfigFile:
    return ensemble.with_steps(steps).with_served([steps[leading(ensemble)]])


def _load(repository: Repository, steps: dict[str, int]) -> FileChanges:
    """Load these versions in addition to those that are loaded."""
    models = ((repository.model(name), version) for name, version in steps.items())
    return {
        model.file: model.with_served(model.served | {version}).text
        for model, version in models
        if version not in model.served
    }


def _version_folders(ensemble: Path, keep: Iterable[int]) -> FileChanges:
    """The version folders of an ensemble are empty; a placeholder keeps them in git."""
    wanted = dict.fromkeys((ensemble / str(version) / PLACEHOLDER for version in keep), "")
    stale = (file for file in ensemble.glob(f"[0-9]*/{PLACEHOLDER}") if file not in wanted)
    return {**wanted, **dict.fromkeys(stale, None)}
