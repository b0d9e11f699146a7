"""Makes a running Triton follow changed files in an order in which no request fails.

New versions are loaded beside the old ones, and an ensemble is reloaded only when the versions of its steps are ready:
otherwise Triton 2.51 stops the ensemble that serves. A request keeps the versions that it started with, even if they are
unloaded meanwhile.
"""

from typing import Final

from server.catalog import CONFIG
from server.edge.admin_lock import KEY_VARIABLE
from server.errors import ControlError
from server.triton_control import TritonControl

from .config_file import ConfigFile
from .files import FileChanges

# Unloading a model that does not exist does nothing, but is rejected where model control is off or locked.
NO_MODEL: Final = "no_such_model"


def check_controllable(control: TritonControl) -> None:
    """Raises ControlError if the server does not answer or does not accept model control."""
    control.check_live()
    try:
        control.unload(NO_MODEL)
    except ControlError as exc:
        raise ControlError(
            f"{exc}; start it with --model-control-mode=explicit --load-model=*, and set {KEY_VARIABLE} if its model "
            f"control is locked"
        ) from exc


def served_steps(control: TritonControl, ensemble: str) -> dict[str, int]:
    """The versions that a server serves in an ensemble, by model; empty if it does not serve the ensemble."""
    if not control.is_ready(ensemble):
        return {}
    return {step.model_name: step.model_version for step in control.config(ensemble).ensemble_scheduling.step}


def follow(control: TritonControl, changes: FileChanges) -> None:
    """Load and unload what the changed files say.

    Raises:
        ControlError: The server failed; what it served before goes on.
    """
    configs = {file: text for file, text in changes.items() if file.name == CONFIG}
    for file in (file for file, text in configs.items() if text is None):
        control.unload(file.parent.name)
    changed = [ConfigFile.parse(file, text) for file, text in configs.items() if text is not None]
    for config in sorted(changed, key=lambda config: bool(config.steps)):
        if config.steps:
            _load_ensemble(control, config)
        else:
            control.load(config.name)


def _load_ensemble(control: TritonControl, ensemble: ConfigFile) -> None:
    for model, version in ensemble.steps.items():
        _ensure_ready(control, model, version)
    control.load(ensemble.name)
    if (steps := served_steps(control, ensemble.name)) != ensemble.steps:
        raise ControlError(
            f"{control.url}: expected {ensemble.name} with {ensemble.steps}, got {steps}: the server does not read "
            f"{ensemble.file}; correct --repository or --url"
        )


def _ensure_ready(control: TritonControl, model: str, version: int) -> None:
    """Load a version that a server lacks because it was not given in an earlier command."""
    if not control.is_ready(model, version):
        control.load(model)
    if not control.is_ready(model, version):
        raise ControlError(
            f"{control.url}: {model} {version} is not ready; see the server's log, or correct --repository"
        )
