"""compose.yaml, read by Docker's compose, says what the images and the documents say."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from server.edge.access_policy import IN_FLIGHT
from tests.support.docker.dockerfiles import FILES, image
from tests.support.docker.rendered import DOCKER, composed
from tests.support.tritonserver import ROOT

TRITONS = ("triton-1", "triton-2")


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = composed()["services"][name]
    return found


def names() -> list[str]:
    return list(yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"])


@pytest.mark.parametrize("name", names())
def test_each_can_do_little(name: str) -> None:
    found = service(name)
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in found


@pytest.mark.parametrize("name", names())
def test_images_are_pinned_and_built_from_what_is_here(name: str) -> None:
    found = service(name)
    repository, tag = found["image"].split(":")
    assert tag[-1].isdigit(), "a version"
    if "build" in found:
        assert found["build"]["dockerfile"] == f"docker/{repository.removeprefix('gender-')}.Dockerfile"
        assert Path(found["build"]["context"]).resolve() == ROOT
        assert repository.removeprefix("gender-") in FILES


def test_only_the_front_and_grafana_can_be_reached_and_only_from_this_machine() -> None:
    published = {name: found["ports"] for name, found in composed()["services"].items() if "ports" in found}
    assert set(published) == {"front", "grafana"}
    for port in (port for ports in published.values() for port in ports):
        assert str(port).startswith("127.0.0.1:") or port["host_ip"] == "127.0.0.1"
    networks = composed()["networks"]
    assert networks["triton"]["internal"]
    for name in TRITONS:
        assert set(service(name)["networks"]) == {"triton"}


def test_the_front_knows_both_tritons_and_lets_in_what_both_can_do() -> None:
    settings = service("front")["environment"]
    for variable, port in (("HTTP", 8000), ("GRPC", 8001)):
        assert [server.removeprefix("server ") for server in settings[variable].split("; ")] == [
            f"{name}:{port}" for name in TRITONS
        ]
    assert int(settings["IN_FLIGHT"]) == len(TRITONS) * IN_FLIGHT
    assert set(settings) <= set(image("front").environment), "it changes settings that there are"


@pytest.mark.parametrize("name", TRITONS)
def test_a_triton_has_room_and_is_watched(name: str) -> None:
    found = service(name)
    assert found["healthcheck"]["test"] == ["CMD", "health.sh"]
    assert found["restart"] == "unless-stopped", "health.sh ends what should be started anew"
    assert str(found["shm_size"]).lower() in {"256m", str(256 * 2**20)}


def test_secrets_are_files_that_git_does_not_know() -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    assert "/docker/secrets/" in ignored
    for secret in composed()["secrets"].values():
        assert Path(secret["file"]).parent == DOCKER / "secrets"
    text = (DOCKER / "compose.yaml").read_text().lower()
    assert "password:" not in text.replace("grafana_admin_password:", "")


def test_the_front_reads_its_secrets_where_they_are() -> None:
    mounted = {f"/run/secrets/{secret['source']}" for secret in service("front")["secrets"]}
    settings = image("front").environment
    words = f"{settings['TLS']} {settings['CLIENTS']}".replace(";", " ").split()
    assert {word for word in words if word.startswith("/")} == mounted


@pytest.mark.parametrize("target", ["/etc/prometheus", "/etc/grafana/provisioning", "/etc/grafana/dashboards"])
def test_configurations_are_mounted_to_be_read(target: str) -> None:
    mounts = [str(mount) for name in ("prometheus", "grafana") for mount in service(name)["volumes"]]
    assert any(target in mount and ("ro" in mount.split(":")[-1] or "'read_only': True" in mount) for mount in mounts)


def test_prometheus_asks_both_tritons() -> None:
    file = DOCKER / "prometheus" / "prometheus.yml"
    if not file.exists():
        pytest.skip("there is no docker/prometheus/prometheus.yml")
    jobs = {job["job_name"]: job for job in yaml.safe_load(file.read_text())["scrape_configs"]}
    assert jobs["triton"]["static_configs"] == [{"targets": [f"{name}:8002" for name in TRITONS]}]
