"""The manifests for KServe are valid by KServe's own models and agree with the image."""

import jsonschema
import pytest

from tests.support.docker.dockerfiles import image
from tests.support.docker.kserve_schema import MODELS, models_folder, validate
from tests.support.docker.rendered import kustomized, of_kind

FOLDERS = ("kserve/base", "kserve/canary")
KINDS = {"InferenceService": "V1beta1InferenceService", "ServingRuntime": "V1alpha1ServingRuntime"}
NAMES = {"InferenceService": "gender", "ServingRuntime": "gender-triton"}
needs_kserve = pytest.mark.skipif(models_folder() is None, reason=f"KServe is not installed in {MODELS}")


@needs_kserve
@pytest.mark.parametrize("folder", FOLDERS)
def test_manifests_are_valid(folder: str) -> None:
    models = models_folder()
    assert models is not None
    assert {manifest["kind"] for manifest in kustomized(folder)} == set(KINDS)
    for manifest in kustomized(folder):
        validate(manifest, KINDS[manifest["kind"]], models)


@needs_kserve
@pytest.mark.parametrize(("kind", "key"), [("InferenceService", "predictor"), ("ServingRuntime", "containers")])
def test_misspelled_field_is_invalid(kind: str, key: str) -> None:
    models = models_folder()
    assert models is not None
    manifest = of_kind(kind, FOLDERS[0], NAMES[kind])
    part = manifest["spec"][key]
    wrong = [each | {"readinesProbe": {}} for each in part] if isinstance(part, list) else part | {"minReplica": 1}
    with pytest.raises(jsonschema.ValidationError, match=r"readinesProbe|minReplica"):
        validate(manifest | {"spec": manifest["spec"] | {key: wrong}}, KINDS[kind], models)


@pytest.mark.parametrize("folder", FOLDERS)
def test_inference_service_uses_our_runtime(folder: str) -> None:
    runtime, service = of_kind("ServingRuntime", folder, "gender-triton"), of_kind("InferenceService", folder)
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"]["name"] in {each["name"] for each in runtime["spec"]["supportedModelFormats"]}
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]


def test_container_is_that_of_the_deployment() -> None:
    (container,) = of_kind("ServingRuntime", FOLDERS[0], "gender-triton")["spec"]["containers"]
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
    assert "--model-repository=/mnt/models" in container["args"], "the folder of KServe's storage initializer"


def test_canary_gets_a_minority_of_the_traffic_and_another_release() -> None:
    stable, canary = (of_kind("InferenceService", folder)["spec"]["predictor"] for folder in FOLDERS)
    assert "canaryTrafficPercent" not in stable
    assert 0 < canary["canaryTrafficPercent"] < 50
    assert stable["model"]["storageUri"] != canary["model"]["storageUri"]
