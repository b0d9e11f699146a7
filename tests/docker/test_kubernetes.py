"""The Kubernetes manifests are valid by Kubernetes's own schemas and agree with the images."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from quickstart.command import SERVE_PORTS
from server.edge.access_policy import IN_FLIGHT
from tests.support.docker.dockerfiles import image
from tests.support.docker.rendered import DOCKER, Manifest, kustomized, needs_promtool, of_kind, promtool_test

FOLDERS = ("base", "overlays/volume", "overlays/object-store", "overlays/wheel")
# The oldest maintained release and the newest with a schema.
VERSIONS = ("1.35", kubernetes_validate.latest_version())
METRICS_PORT = SERVE_PORTS[2]
KINDS = {"Namespace", "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"}


def pod(folder: str) -> Manifest:
    spec: Manifest = of_kind("Deployment", folder)["spec"]["template"]["spec"]
    return spec


def container(name: str, folder: str = "base") -> Manifest:
    return next(each for each in pod(folder)["containers"] if each["name"] == name)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", FOLDERS)
def test_manifests_are_valid(folder: str, version: str) -> None:
    manifests = kustomized(folder)
    assert {manifest["kind"] for manifest in manifests} >= KINDS
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_misspelled_field_is_invalid() -> None:
    manifest = of_kind("PodDisruptionBudget", "base")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest | {"spec": {"maxUnavailabel": 1}}, VERSIONS[0], strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("name", ["triton", "reverse-proxy", "edge-metrics"])
def test_containers_are_hardened(name: str, folder: str) -> None:
    context = container(name, folder)["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == image(name).last("USER")[0]
    assert pod(folder)["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod(folder)["automountServiceAccountToken"] is False


@pytest.mark.parametrize("folder", FOLDERS)
def test_writable_paths_are_mounted_volumes(folder: str) -> None:
    volumes = {volume["name"]: volume for volume in pod(folder)["volumes"]}
    mounts = {mount["mountPath"]: mount for each in pod(folder)["containers"] for mount in each["volumeMounts"]}
    assert {mount["name"] for mount in mounts.values()} <= set(volumes)
    assert volumes[mounts["/dev/shm"]["name"]]["emptyDir"]["medium"] == "Memory"
    assert "emptyDir" in volumes[mounts["/tmp"]["name"]]


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_of_triton_are_inferences(probe: str) -> None:
    assert container("triton")[probe]["exec"]["command"] == image("triton").health
    port = container("triton", "overlays/wheel")[probe]["httpGet"]["port"]
    assert port in {each["name"] for each in container("triton", "overlays/wheel")["ports"]}


def test_triton_listens_on_loopback_behind_the_reverse_proxy() -> None:
    arguments = container("triton")["args"]
    assert {"--http-address=127.0.0.1", "--grpc-address=127.0.0.1"} <= set(arguments)
    assert [port["containerPort"] for port in container("triton")["ports"]] == [METRICS_PORT]
    settings = image("reverse-proxy").environment
    assert settings["HTTP"] == f"127.0.0.1:{SERVE_PORTS[0]}"
    assert settings["GRPC"] == f"127.0.0.1:{SERVE_PORTS[1]}"
    assert int(settings["IN_FLIGHT"]) == IN_FLIGHT


def test_ports_agree_between_images_service_and_network_policy() -> None:
    listening = {f"{port['containerPort']}" for port in container("reverse-proxy")["ports"]}
    settings = image("reverse-proxy").environment
    assert listening == {settings[name].split()[0].split(":")[1] for name in ("LISTEN_HTTP", "LISTEN_GRPC")}
    named = {port["name"] for each in pod("base")["containers"] for port in each["ports"]}
    assert {port["targetPort"] for port in of_kind("Service", "base")["spec"]["ports"]} <= named
    allowed = {port["port"] for rule in of_kind("NetworkPolicy", "base")["spec"]["ingress"] for port in rule["ports"]}
    assert allowed == named
    annotations = of_kind("Deployment", "base")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(METRICS_PORT)


@pytest.mark.parametrize(
    ("folder", "ports"),
    [("base", {"metrics", "edge-metrics"}), ("overlays/wheel", {"metrics", "edge-metrics", "status"})],
)
def test_prometheus_finds_and_reaches_every_metrics_port(folder: str, ports: set[str]) -> None:
    numbers = {port["name"]: str(port["containerPort"]) for each in pod(folder)["containers"] for port in each["ports"]}
    annotated = [of_kind("Deployment", folder)["spec"]["template"]["metadata"]["annotations"]]
    annotated += [each["metadata"].get("annotations", {}) for each in kustomized(folder) if each["kind"] == "Service"]
    scraped = {each["prometheus.io/port"] for each in annotated if each.get("prometheus.io/scrape") == "true"}
    assert scraped == {numbers[name] for name in ports}
    monitoring = of_kind("NetworkPolicy", folder)["spec"]["ingress"][1]
    assert {port["port"] for port in monitoring["ports"]} == ports


def test_reverse_proxy_mounts_the_documented_secrets() -> None:
    (mount,) = (each for each in container("reverse-proxy")["volumeMounts"] if each["name"] == "secrets")
    assert mount["mountPath"] in image("reverse-proxy").environment["TLS"]
    (volume,) = (each for each in pod("base")["volumes"] if each["name"] == "secrets")
    secrets = {source["secret"]["name"] for source in volume["projected"]["sources"]}
    readme = (DOCKER / "README.md").read_text(encoding="utf-8")
    assert all("kubectl create secret" in readme and secret in readme for secret in secrets)


def test_selectors_match_the_pod_labels() -> None:
    labels = of_kind("Deployment", "base")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        of_kind("Deployment", "base")["spec"]["selector"]["matchLabels"],
        of_kind("Service", "base")["spec"]["selector"],
        of_kind("PodDisruptionBudget", "base")["spec"]["selector"]["matchLabels"],
        of_kind("NetworkPolicy", "base")["spec"]["podSelector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in pod("base")["topologySpreadConstraints"]),
    ]
    assert all(selector and selector.items() <= labels.items() for selector in selectors)


def test_pods_with_the_client_label_reach_the_service() -> None:
    (client,) = of_kind("NetworkPolicy", "base")["spec"]["ingress"][0]["from"]
    assert client == {"namespaceSelector": {}, "podSelector": {"matchLabels": {"gender-client": "true"}}}


def test_reverse_proxy_stops_before_triton_within_the_grace_period() -> None:
    names = ("reverse-proxy", "triton")
    proxy, triton = (int(container(name)["lifecycle"]["preStop"]["exec"]["command"][1]) for name in names)
    drain = int(re.search(r"--exit-timeout-secs=(\d+)", (DOCKER / "triton.sh").read_text())[1])  # type: ignore[index]
    assert proxy < triton
    grace = pod("base")["terminationGracePeriodSeconds"]
    assert triton + drain < grace
    metrics = int(container("edge-metrics")["lifecycle"]["preStop"]["exec"]["command"][1])
    assert max(proxy, triton + drain) < metrics < grace


def test_overlays_change_only_the_source_of_the_models() -> None:
    arguments = container("triton")["args"]
    assert arguments[:1] == image("triton").last("CMD")
    volume = container("triton", "overlays/volume")
    assert volume["args"] == arguments
    (mount,) = (each for each in volume["volumeMounts"] if each["name"] == "models")
    assert mount["readOnly"]
    assert f"--model-repository={mount['mountPath']}" in volume["args"]
    repository, *others = container("triton", "overlays/object-store")["args"]
    assert repository.startswith("--model-repository=s3://")
    assert others == arguments[1:]
    assert of_kind("NetworkPolicy", "base")["spec"]["egress"] == []
    assert of_kind("NetworkPolicy", "overlays/object-store")["spec"]["egress"]


def adapter_rule() -> Manifest:
    values = yaml.safe_load((DOCKER / "kubernetes" / "prometheus-adapter" / "values.yaml").read_text())
    rule: Manifest
    (rule,) = values["rules"]["custom"]
    return rule


def test_autoscaler_uses_the_metric_of_the_adapter() -> None:
    spec = of_kind("HorizontalPodAutoscaler", "base")["spec"]
    assert [metric["pods"]["metric"]["name"] for metric in spec["metrics"]] == [adapter_rule()["name"]["as"]]
    assert spec["scaleTargetRef"]["name"] == of_kind("Deployment", "base")["metadata"]["name"]
    assert "replicas" not in of_kind("Deployment", "base")["spec"]
    assert spec["minReplicas"] >= 2


# (metric, pod, model) → cumulative samples every 15 s, in promtool's notation
SERIES = {
    ("nv_inference_queue_duration_us", "busy", "preprocess"): "0+150000x20",
    ("nv_inference_queue_duration_us", "busy", "densenet"): "0+450000x20",
    ("nv_inference_request_success", "busy", "preprocess"): "0+15x20",
    ("nv_inference_request_success", "busy", "densenet"): "0+15x20",
    ("nv_inference_queue_duration_us", "stored", "ranker"): "0+150000x20",
    ("nv_inference_request_success", "stored", "rank_embedding"): "0+150x20",
    ("nv_inference_request_success", "stored", "preprocess"): "3x20",
    ("nv_inference_queue_duration_us", "idle", "preprocess"): "7x20",
    ("nv_inference_request_success", "idle", "preprocess"): "3x20",
}


@needs_promtool
def test_adapter_query_gives_the_mean_queue_time_of_a_request(tmp_path: Path) -> None:
    """Two queues of 10 and 30 ms per request make 40 ms. An idle pod has 0. Stored embeddings need no preprocessing."""
    query = adapter_rule()["metricsQuery"]
    query = query.replace("<<.LabelMatchers>>", 'namespace="gender"').replace("<<.GroupBy>>", "namespace, pod")
    rules = {"groups": [{"name": "adapter", "rules": [{"record": "waited", "expr": query}]}]}
    series = [
        {"series": f'{name}{{namespace="gender", pod="{pod}", model="{model}"}}', "values": values}
        for (name, pod, model), values in SERIES.items()
    ]
    expected = [
        {"labels": f'waited{{namespace="gender", pod="{pod}"}}', "value": value}
        for pod, value in (("busy", 40_000), ("idle", 0), ("stored", 1_000))
    ]
    test = {"expr": "waited", "eval_time": "4m", "exp_samples": expected}
    tests = [{"interval": "15s", "input_series": series, "promql_expr_test": [test]}]
    assert promtool_test(rules, tests, tmp_path) == ""
