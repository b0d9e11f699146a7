"""The manifests for KServe hold nothing that KServe's own models do not know, and agree with the image."""

import jsonschema
import pytest

from tests.support.docker.dockerfiles import image
from tests.support.docker.kserve_schema import MODELS, models_folder, validate
from tests.support.docker.rendered import kustomized, of_kind

FOLDERS = ("kserve/base", "kserve/canary")
KINDS = {"InferenceService": "V1beta1InferenceService", "ServingRuntime": "V1alpha1ServingRuntime"}
needs_kserve = pytest.mark.skipif(models_folder() is None, reason=f"there is no KServe in {MODELS}")


@needs_kserve
@pytest.mark.parametrize("folder", FOLDERS)
def test_kserves_models_know_every_field(folder: str) -> None:
    models = models_folder()
    assert models is not None
    assert {manifest["kind"] for manifest in kustomized(folder)} == set(KINDS)
    for manifest in kustomized(folder):
        validate(manifest, KINDS[manifest["kind"]], models)


@needs_kserve
@pytest.mark.parametrize(("kind", "place"), [("InferenceService", "predictor"), ("ServingRuntime", "containers")])
def test_a_slip_is_seen(kind: str, place: str) -> None:
    models = models_folder()
    assert models is not None
    manifest = of_kind(kind, FOLDERS[0])
    part = manifest["spec"][place]
    wrong = [each | {"readinesProbe": {}} for each in part] if isinstance(part, list) else part | {"minReplica": 1}
    with pytest.raises(jsonschema.ValidationError, match=r"readinesProbe|minReplica"):
        validate(manifest | {"spec": manifest["spec"] | {place: wrong}}, KINDS[kind], models)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_service_runs_on_our_runtime(folder: str) -> None:
    runtime, service = of_kind("ServingRuntime", folder), of_kind("InferenceService", folder)
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"]["name"] in {each["name"] for each in runtime["spec"]["supportedModelFormats"]}
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]


def test_its_container_is_that_of_the_deployment() -> None:
    (container,) = of_kind("ServingRuntime", FOLDERS[0])["spec"]["containers"]
    (triton,) = (
        each
        for each in of_kind("Deployment", "base")["spec"]["template"]["spec"]["containers"]
        if each["name"] == "triton"
    )
    assert container["name"] == "kserve-container"
    assert container["image"] == triton["image"]
    assert container["resources"] == triton["resources"]
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"] == image("triton").health
    assert "--model-repository=/mnt/models" in container["args"], "where KServe puts a model"


def test_a_canary_is_a_share_of_another_release() -> None:
    stable, canary = (of_kind("InferenceService", folder)["spec"]["predictor"] for folder in FOLDERS)
    assert "canaryTrafficPercent" not in stable
    assert 0 < canary["canaryTrafficPercent"] < 50
    assert stable["model"]["storageUri"] != canary["model"]["storageUri"]
