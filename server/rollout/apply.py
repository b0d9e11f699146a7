"""Changes files and running servers together; if one fails, all are restored.

A server loads new versions beside the old ones, and reloads an ensemble only when the versions of its steps are ready:
otherwise Triton 2.51 stops the ensemble that serves. A request keeps the versions that it started with, even if they
are unloaded meanwhile.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.catalog import CONFIG
from server.checksums import MANIFEST
from server.checksums.snapshot import refresh_snapshots
from server.edge.admin_lock import KEY_VARIABLE
from server.errors import ControlError, LaunchError, RolloutError
from server.launch.process import signals_blocked
from server.triton_control import TritonControl

from .config_file import ConfigFile
from .files import FileChanges, with_checksums, write_changes

# Unloading a model that does not exist does nothing, but is rejected where model control is off or locked.
NO_MODEL: Final = "no_such_model"
# A supervisor looks at the files twice a second.
FOLLOW_S: Final = 15.0
RETRY_S: Final = 0.25
REMEDY: Final = (
    "; correct --repository or --url, or restart the server if it runs elsewhere or as another user and without a "
    "supervisor, because it serves a copy of its own"
)


def apply(changes: FileChanges, repository: Path, servers: Sequence[TritonControl]) -> None:
    """Write the files and their checksums, and make every server follow them.

    Raises:
        ControlError: A server does not accept model control; nothing is changed.
        RolloutError: A change failed or was interrupted by Ctrl-C; the message says what is served now.
    """
    for server in servers:
        _check_controllable(server)
    undo: FileChanges = {}
    followed: list[TritonControl] = []
    try:
        with signals_blocked():
            undo = write_changes(with_checksums(changes, repository))
        refresh_snapshots(repository)
        for server in servers:
            followed.append(server)
            _follow(server, changes)
    except (ControlError, LaunchError, KeyboardInterrupt) as exc:
        with signals_blocked():
            raise RolloutError(f"{str(exc) or 'interrupted'}; {_restore(undo, repository, followed)}") from exc


def served_steps(server: TritonControl, ensemble: str) -> dict[str, int]:
    """The versions that a server serves in an ensemble, by model; empty if it does not serve the ensemble."""
    if not server.is_ready(ensemble):
        return {}
    return {step.model_name: step.model_version for step in server.config(ensemble).ensemble_scheduling.step}


def _check_controllable(server: TritonControl) -> None:
    server.check_live()
    try:
        server.unload(NO_MODEL)
    except ControlError as exc:
        raise ControlError(
            f"{exc}; start it with --model-control-mode=explicit --load-model=*, and set {KEY_VARIABLE} if it runs "
            f"as another user or elsewhere"
        ) from exc


def _restore(undo: FileChanges, repository: Path, servers: Sequence[TritonControl]) -> str:
    """Restore the files and make the servers follow them; returns a summary."""
    try:
        # Not the old checksums: another command may have recorded other files meanwhile.
        write_changes(with_checksums({file: text for file, text in undo.items() if file.name != MANIFEST}, repository))
    except RolloutError as exc:
        return (
            f"the files still hold the change, because undoing it failed: {exc}; make room and run the opposite command"
        )
    with suppress(LaunchError):  # then a server cannot follow
        refresh_snapshots(repository)
    failed = []
    for server in servers:
        try:
            _follow(server, undo)
        except ControlError:
            failed.append(server.url)
    if failed:
        return f"the files are restored, but {', '.join(failed)} could not be restored: restart it"
    return "everything is served as before"


def _follow(server: TritonControl, changes: FileChanges) -> None:
    """Unload what is removed, then load changed models, and ensembles last."""
    configs = {file: text for file, text in changes.items() if file.name == CONFIG}
    for file in (file for file, text in configs.items() if text is None):
        server.unload(file.parent.name)
    changed = [ConfigFile.parse(file, text) for file, text in configs.items() if text is not None]
    for config in sorted(changed, key=lambda config: bool(config.steps)):
        if config.steps:
            _in_time(_load_ensemble, server, config)
        else:
            server.load(config.name)  # reports versions that do not load
            _in_time(_load_model, server, config)


def _in_time(load: Callable[[TritonControl, ConfigFile], None], server: TritonControl, config: ConfigFile) -> None:
    """Try again while the supervisor of another user or machine takes over the files."""
    deadline_s = time.monotonic() + FOLLOW_S
    while True:
        try:
            return load(server, config)
        except ControlError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(RETRY_S)


def _load_model(server: TritonControl, model: ConfigFile) -> None:
    served = {int(each.version) for each in server.ready() if each.model == model.name}
    if served != set(model.served):
        server.load(model.name)
        raise ControlError(f"{server.url}: expected {model.name} {sorted(model.served)}, got {sorted(served)}{REMEDY}")


def _load_ensemble(server: TritonControl, ensemble: ConfigFile) -> None:
    for model, version in ensemble.steps.items():
        # A server lacks the version if an earlier command did not name it by --url.
        if not server.is_ready(model, version):
            server.load(model)
        if not server.is_ready(model, version):
            raise ControlError(f"{server.url}: {model} {version} is not ready; see its log, or correct --repository")
    server.load(ensemble.name)
    if (steps := served_steps(server, ensemble.name)) != ensemble.steps:
        raise ControlError(
            f"{server.url}: expected {ensemble.name} with {ensemble.steps}, got {steps}: the server does not read "
            f"{ensemble.file}{REMEDY}"
        )
