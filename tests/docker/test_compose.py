"""compose.yaml: isolation of the services, and agreement with the images and Prometheus."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from server.edge.access_policy import IN_FLIGHT
from tests.support.docker.dockerfiles import FILES, image
from tests.support.docker.rendered import DOCKER, composed
from tests.support.tritonserver import ROOT

TRITONS = ("triton-1", "triton-2")
SERVICES = list(yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"])


def service(name: str) -> dict[str, Any]:
    settings: dict[str, Any] = composed()["services"][name]
    return settings


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_hardened(name: str) -> None:
    settings = service(name)
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in settings
    assert settings["logging"]["driver"] == "local", "this driver rotates logs"


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_and_built_from_this_repository(name: str) -> None:
    settings = service(name)
    repository, tag = settings["image"].split(":")
    assert tag[-1].isdigit(), "a version"
    if "build" in settings:
        assert ROOT / settings["build"]["dockerfile"] == FILES[repository.removeprefix("gender-")]
        assert Path(settings["build"]["context"]).resolve() == ROOT


def test_only_the_reverse_proxy_and_grafana_publish_ports_on_loopback() -> None:
    published = {name: settings["ports"] for name, settings in composed()["services"].items() if "ports" in settings}
    assert set(published) == {"reverse-proxy", "grafana"}
    for port in (port for ports in published.values() for port in ports):
        assert str(port).startswith("127.0.0.1:") or port["host_ip"] == "127.0.0.1"
    assert composed()["networks"]["triton"]["internal"]
    for name in TRITONS:
        assert set(service(name)["networks"]) == {"triton"}


def address_of(name: str) -> str:
    """The fixed address, because nginx does not start with the name of a container that does not run."""
    address: str = service(name)["networks"]["triton"]["ipv4_address"]
    return address


def test_log_goes_to_the_metrics_of_the_reverse_proxy() -> None:
    assert service("reverse-proxy")["environment"]["LOG"].startswith(
        f"syslog:server={address_of('edge-metrics')}:5514,"
    )


def test_reverse_proxy_admits_as_many_requests_as_both_tritons_can_handle() -> None:
    settings = service("reverse-proxy")["environment"]
    for variable, port in (("HTTP", 8000), ("GRPC", 8001)):
        assert [server.removeprefix("server ") for server in settings[variable].split("; ")] == [
            f"{address_of(name)}:{port} max_fails=3" for name in TRITONS
        ]
    assert int(settings["IN_FLIGHT"]) == len(TRITONS) * IN_FLIGHT
    assert set(settings) <= set(image("reverse-proxy").environment)


@pytest.mark.parametrize("name", TRITONS)
def test_triton_has_a_health_check_a_restart_policy_and_shared_memory(name: str) -> None:
    settings = service(name)
    assert settings["healthcheck"]["test"] == ["CMD", "health.sh"]
    assert settings["restart"] == "unless-stopped", "health.sh ends an unhealthy Triton, Docker restarts it"
    assert str(settings["shm_size"]).lower() in {"256m", str(256 * 2**20)}


def test_secrets_are_files_that_git_ignores() -> None:
    assert "/docker/secrets/" in (ROOT / ".gitignore").read_text().split()
    for secret in composed()["secrets"].values():
        assert Path(secret["file"]).parent == DOCKER / "secrets"
    text = (DOCKER / "compose.yaml").read_text().lower()
    assert "password:" not in text.replace("grafana_admin_password:", "")


def test_reverse_proxy_reads_its_secrets_where_they_are_mounted() -> None:
    mounted = {f"/run/secrets/{secret['source']}" for secret in service("reverse-proxy")["secrets"]}
    settings = image("reverse-proxy").environment
    words = f"{settings['TLS']} {settings['CLIENTS']}".replace(";", " ").split()
    assert {word for word in words if word.startswith("/")} == mounted


@pytest.mark.parametrize("target", ["/etc/prometheus", "/etc/grafana/provisioning", "/etc/grafana/dashboards"])
def test_configurations_are_mounted_read_only(target: str) -> None:
    mounts = [str(mount) for name in ("prometheus", "grafana") for mount in service(name)["volumes"]]
    assert any(target in mount and ("ro" in mount.split(":")[-1] or "'read_only': True" in mount) for mount in mounts)


def test_grafana_reads_the_mounted_dashboards() -> None:
    provider = yaml.safe_load((DOCKER / "grafana" / "provisioning" / "dashboards" / "gender.yml").read_text())
    path, mounts = provider["providers"][0]["options"]["path"], service("grafana")["volumes"]
    assert any(f":{path}:" in str(mount) or f"'target': '{path}'" in str(mount) for mount in mounts)


def test_prometheus_scrapes_both_tritons() -> None:
    config = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs["triton"]["static_configs"] == [{"targets": [f"{name}:8002" for name in TRITONS]}]


def test_alerts_reach_the_webhook_of_the_secret() -> None:
    """Prometheus sends them to this Alertmanager, and every route ends at a receiver that reads a mounted secret."""
    prometheus = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
    (alertmanagers,) = prometheus["alerting"]["alertmanagers"]
    assert alertmanagers["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert set(service("prometheus")["networks"]) & set(service("alertmanager")["networks"])
    settings = yaml.safe_load((DOCKER / "alertmanager" / "alertmanager.yml").read_text())
    receivers = {receiver["name"]: receiver for receiver in settings["receivers"]}
    routes = [settings["route"], *settings["route"].get("routes", [])]
    assert {route["receiver"] for route in routes if "receiver" in route} <= receivers.keys()
    files = {hook["url_file"] for receiver in receivers.values() for hook in receiver["webhook_configs"]}
    assert files == {f"/run/secrets/{secret['source']}" for secret in service("alertmanager")["secrets"]}
