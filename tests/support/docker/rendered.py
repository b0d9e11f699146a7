"""The YAML files of docker/ as docker compose, kubectl and promtool read them."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.tritonserver import ROOT

Manifest = dict[str, Any]
DOCKER = ROOT / "docker"
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


@cache
def composed() -> Manifest:
    """Return compose.yaml with all profiles, its variables, anchors and defaults resolved."""
    if shutil.which("docker-compose"):
        command = ["docker-compose"]
    elif (
        shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        command = ["docker", "compose"]
    else:
        pytest.skip("docker compose is not installed; on Debian, run: apt-get install docker-compose")
    done = subprocess.run(
        [*command, "--profile=training", f"--file={DOCKER / 'compose.yaml'}", "config"],
        env={"PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    config: Manifest = yaml.safe_load(done.stdout)
    return config


@cache
def kustomized(folder: str) -> list[Manifest]:
    """Return the manifests that `kubectl apply --kustomize docker/kubernetes/<folder>` would send."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(["kubectl", "kustomize", str(DOCKER / "kubernetes" / folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(kind: str, folder: str, name: str = "gender") -> Manifest:
    """Return the manifest of this kind and name."""
    (manifest,) = (each for each in kustomized(folder) if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return manifest


def promtool(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, command)], capture_output=True, text=True, check=False)


def promtool_test(rules: Manifest | Path, tests: list[Manifest], folder: Path, every: str = "15s") -> str:
    """Run `promtool test rules` and return its failures, "" if there are none."""
    if not isinstance(rules, Path):
        file = folder / "rules.yml"
        file.write_text(yaml.safe_dump(rules))
        rules = file
    content = {"rule_files": [str(rules)], "evaluation_interval": every, "tests": tests}
    (folder / "tests.yml").write_text(yaml.safe_dump(content))
    done = promtool("test", "rules", folder / "tests.yml")
    return "" if done.returncode == 0 else done.stdout + done.stderr
