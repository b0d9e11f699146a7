"""The manifests, rendered by kubectl, are what Kubernetes' own schemas allow, and agree with the images."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from quickstart.__main__ import SERVE_PORTS
from server.edge.access_policy import IN_FLIGHT
from tests.support.docker.dockerfiles import image
from tests.support.docker.rendered import DOCKER, Manifest, kustomized, of_kind

FOLDERS = ("base", "overlays/volume", "overlays/object-store", "overlays/wheel")
# From the oldest that is still maintained to the newest that the schemas have.
VERSIONS = ("1.35", kubernetes_validate.latest_version())
METRICS_PORT = SERVE_PORTS[2]


def pod(folder: str) -> Manifest:
    found: Manifest = of_kind("Deployment", folder)["spec"]["template"]["spec"]
    return found


def container(name: str, folder: str = "base") -> Manifest:
    return next(each for each in pod(folder)["containers"] if each["name"] == name)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", FOLDERS)
def test_kubernetes_would_accept_them(folder: str, version: str) -> None:
    manifests = kustomized(folder)
    assert {
        "Namespace",
        "Deployment",
        "Service",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "NetworkPolicy",
    } <= {manifest["kind"] for manifest in manifests}
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_refuse_a_slip() -> None:
    (manifest,) = (each for each in kustomized("base") if each["kind"] == "PodDisruptionBudget")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest | {"spec": {"maxUnavailabel": 1}}, VERSIONS[0], strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("name", ["triton", "front"])
def test_containers_are_restricted(name: str, folder: str) -> None:
    context = container(name, folder)["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    built = image("triton" if name == "triton" else "front")
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == built.last("USER")[0]
    whole = pod(folder)["securityContext"]
    assert whole == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod(folder)["automountServiceAccountToken"] is False


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_mounted_is_a_volume_and_what_is_written_is_mounted(folder: str) -> None:
    volumes = {volume["name"]: volume for volume in pod(folder)["volumes"]}
    mounts = {mount["mountPath"]: mount for each in pod(folder)["containers"] for mount in each["volumeMounts"]}
    assert {mount["name"] for mount in mounts.values()} <= set(volumes)
    assert volumes[mounts["/dev/shm"]["name"]]["emptyDir"]["medium"] == "Memory"
    assert "emptyDir" in volumes[mounts["/tmp"]["name"]]


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_tritons_probes_are_inferences(probe: str) -> None:
    assert container("triton")[probe]["exec"]["command"] == image("triton").health
    port = container("triton", "overlays/wheel")[probe]["httpGet"]["port"]
    assert port in {each["name"] for each in container("triton", "overlays/wheel")["ports"]}


def test_triton_is_reached_through_the_front_alone() -> None:
    arguments = container("triton")["args"]
    assert {"--http-address=127.0.0.1", "--grpc-address=127.0.0.1"} <= set(arguments)
    assert [port["containerPort"] for port in container("triton")["ports"]] == [METRICS_PORT]
    settings = image("front").environment
    assert settings["HTTP"] == f"127.0.0.1:{SERVE_PORTS[0]}"
    assert settings["GRPC"] == f"127.0.0.1:{SERVE_PORTS[1]}"
    assert int(settings["IN_FLIGHT"]) == IN_FLIGHT


def test_ports_have_one_name_everywhere() -> None:
    listening = {f"{port['containerPort']}" for port in container("front")["ports"]}
    settings = image("front").environment
    assert listening == {settings[name].split()[0].split(":")[1] for name in ("LISTEN_HTTP", "LISTEN_GRPC")}
    named = {port["name"] for each in pod("base")["containers"] for port in each["ports"]}
    assert {port["targetPort"] for port in of_kind("Service", "base")["spec"]["ports"]} <= named
    allowed = {port["port"] for rule in of_kind("NetworkPolicy", "base")["spec"]["ingress"] for port in rule["ports"]}
    assert allowed == named
    annotations = of_kind("Deployment", "base")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(METRICS_PORT)


def test_the_front_gets_the_secrets_that_it_reads() -> None:
    (mount,) = (each for each in container("front")["volumeMounts"] if each["name"] == "secrets")
    assert mount["mountPath"] in image("front").environment["TLS"]
    (volume,) = (each for each in pod("base")["volumes"] if each["name"] == "secrets")
    secrets = {source["secret"]["name"] for source in volume["projected"]["sources"]}
    readme = (DOCKER / "README.md").read_text(encoding="utf-8")
    assert all("kubectl create secret" in readme and secret in readme for secret in secrets)


def test_selectors_find_the_pods() -> None:
    labels = of_kind("Deployment", "base")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        of_kind("Deployment", "base")["spec"]["selector"]["matchLabels"],
        of_kind("Service", "base")["spec"]["selector"],
        of_kind("PodDisruptionBudget", "base")["spec"]["selector"]["matchLabels"],
        of_kind("NetworkPolicy", "base")["spec"]["podSelector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in pod("base")["topologySpreadConstraints"]),
    ]
    assert all(selector and selector.items() <= labels.items() for selector in selectors)


def test_clients_need_no_more_than_their_label() -> None:
    (client,) = of_kind("NetworkPolicy", "base")["spec"]["ingress"][0]["from"]
    assert client == {"namespaceSelector": {}, "podSelector": {"matchLabels": {"gender-client": "true"}}}


def test_whoever_is_told_to_leave_answers_first() -> None:
    spec = pod("base")
    front, triton = (int(container(name)["lifecycle"]["preStop"]["exec"]["command"][1]) for name in ("front", "triton"))
    drain = int(re.search(r"--exit-timeout-secs=(\d+)", (DOCKER / "triton.sh").read_text())[1])  # type: ignore[index]
    assert front < triton
    assert triton + drain < spec["terminationGracePeriodSeconds"]


def test_the_overlays_move_the_models_and_nothing_else() -> None:
    assert (
        container("triton", "overlays/volume")["args"]
        == container("triton")["args"]
        == [
            *image("triton").last("CMD"),
            *container("triton")["args"][1:],
        ]
    )
    (mount,) = (each for each in container("triton", "overlays/volume")["volumeMounts"] if each["name"] == "models")
    assert mount["readOnly"]
    assert f"--model-repository={mount['mountPath']}" in container("triton", "overlays/volume")["args"]
    repository, *others = container("triton", "overlays/object-store")["args"]
    assert repository.startswith("--model-repository=s3://")
    assert others == container("triton")["args"][1:]
    assert of_kind("NetworkPolicy", "base")["spec"]["egress"] == []
    assert of_kind("NetworkPolicy", "overlays/object-store")["spec"]["egress"]


def rules() -> list[dict[str, Any]]:
    values = yaml.safe_load((DOCKER / "kubernetes" / "prometheus-adapter" / "values.yaml").read_text())
    found: list[dict[str, Any]] = values["rules"]["custom"]
    return found


def test_the_autoscaler_counts_by_a_metric_that_the_adapter_makes() -> None:
    spec = of_kind("HorizontalPodAutoscaler", "base")["spec"]
    assert [metric["pods"]["metric"]["name"] for metric in spec["metrics"]] == [rule["name"]["as"] for rule in rules()]
    assert spec["scaleTargetRef"]["name"] == of_kind("Deployment", "base")["metadata"]["name"]
    assert "replicas" not in of_kind("Deployment", "base")["spec"]
    assert spec["minReplicas"] >= 2


# Cumulative, every 15 s: (metric, pod, model) → values in promtool's notation.
SERIES = {
    ("nv_inference_queue_duration_us", "busy", "preprocess"): "0+150000x20",
    ("nv_inference_queue_duration_us", "busy", "densenet"): "0+450000x20",
    ("nv_inference_request_success", "busy", "preprocess"): "0+15x20",
    ("nv_inference_request_success", "busy", "densenet"): "0+15x20",
    ("nv_inference_queue_duration_us", "idle", "preprocess"): "7x20",
    ("nv_inference_request_success", "idle", "preprocess"): "3x20",
}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool on this machine")
def test_prometheus_reckons_what_the_autoscaler_wants(tmp_path: Path) -> None:
    """Two queues, 10 and 30 ms a request: 40 ms; nobody asking: 0."""
    (rule,) = rules()
    query = (
        rule["metricsQuery"]
        .replace("<<.LabelMatchers>>", 'namespace="gender"')
        .replace("<<.GroupBy>>", "namespace, pod")
    )
    series = [
        {"series": f'{name}{{namespace="gender", pod="{pod}", model="{model}"}}', "values": values}
        for (name, pod, model), values in SERIES.items()
    ]
    waited = [
        {"labels": f'waited{{namespace="gender", pod="{pod}"}}', "value": value}
        for pod, value in (("busy", 40_000), ("idle", 0))
    ]
    expected = {"expr": "waited", "eval_time": "4m", "exp_samples": waited}
    files: dict[str, Any] = {
        "rules.yaml": {"groups": [{"name": "adapter", "rules": [{"record": "waited", "expr": query}]}]},
        "test.yaml": {
            "rule_files": ["rules.yaml"],
            "tests": [{"interval": "15s", "input_series": series, "promql_expr_test": [expected]}],
        },
    }
    for name, content in files.items():
        (tmp_path / name).write_text(yaml.safe_dump(content))
    done = subprocess.run(["promtool", "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
