"""The YAML of docker/ as its own tools render it."""

import shutil
import subprocess
from functools import cache
from typing import Any

import pytest
import yaml

from tests.support.tritonserver import ROOT

Manifest = dict[str, Any]
DOCKER = ROOT / "docker"


@cache
def composed() -> Manifest:
    """compose.yaml with every profile, as Docker's compose reads it: variables, anchors and defaults resolved."""
    if shutil.which("docker-compose"):
        command = ["docker-compose", "--profile=training"]
    elif (
        shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        command = ["docker", "compose", "--profile=training"]
    else:
        pytest.skip("there is no docker compose; on Debian: apt-get install docker-compose")
    done = subprocess.run(
        [*command, f"--file={DOCKER / 'compose.yaml'}", "config"],
        env={"PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: Manifest = yaml.safe_load(done.stdout)
    return found


@cache
def kustomized(folder: str) -> list[Manifest]:
    """What `kubectl apply --kustomize` of this folder below docker/kubernetes would send."""
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on this machine")
    command = ["kubectl", "kustomize", str(DOCKER / "kubernetes" / folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(kind: str, folder: str) -> Manifest:
    """The one of its kind."""
    (found,) = (manifest for manifest in kustomized(folder) if manifest["kind"] == kind)
    return found
