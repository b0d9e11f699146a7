"""Cases of the alert rules: series in promtool's notation, and the alert that they raise."""

from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.support.docker.rendered import DOCKER

Series = dict[str, str]  # series → samples

RULES: Final = DOCKER / "prometheus" / "alerts.yml"
ALERTS: Final[dict[str, dict[str, Any]]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


@dataclass(frozen=True)
class Case:
    """Series with a sample every `step`. `at` a time, the alert fires with `labels` and `summary`, or not at all."""

    alert: str
    series: Series
    labels: dict[str, str] | None = None
    summary: str = ""
    at: str = "10m"
    step: str = "30s"

    @property
    def fires(self) -> bool:
        return self.labels is not None

    def as_promtool_test(self) -> dict[str, Any]:
        annotations = {"summary": self.summary, "runbook_url": f"docker/RUNBOOK.md#{self.alert.lower()}"}
        severity = {"severity": ALERTS[self.alert]["labels"]["severity"]}
        alerts = [] if self.labels is None else [{"exp_labels": self.labels | severity, "exp_annotations": annotations}]
        return {
            "interval": self.step,
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "alert_rule_test": [{"alertname": self.alert, "eval_time": self.at, "exp_alerts": alerts}],
        }


MOBILENET = {"model": "mobilenet", "instance": "a"}
ENSEMBLE = {"model": "gender_mobilenet"}


def failed(model: str, reason: str, values: str) -> Series:
    return {f'nv_inference_request_failure{{instance="a",model="{model}",reason="{reason}"}}': values}


def triton(requests: str, failures: str = "0x99", rejections: str = "0x99") -> Series:
    """Requests of `preprocess`, failures of a step, and rejected inputs, which only the ensemble counts as failures."""
    return {
        'nv_inference_request_success{instance="a",model="preprocess"}': requests,
        **failed("preprocess", "BACKEND", "0x99"),
        **failed("mobilenet", "BACKEND", failures),
        **failed("gender_mobilenet", "OTHER", rejections),
    }


def rejected(values: str) -> Series:
    return {'gender_refused_requests_total{tensor="AVATAR",reason="damaged"}': values}


def queue(waited_us: str, requests: str) -> Series:
    return {
        'nv_inference_queue_duration_us{instance="a",model="mobilenet"}': waited_us,
        'nv_inference_request_success{instance="a",model="mobilenet"}': requests,
    }


def loaded(**digests: str) -> Series:
    """When each preprocessing was loaded: `a_x` is digest x on server a."""
    return {
        'gender_preprocess_loaded_timestamp_seconds{{instance="{}",digest="{}"}}'.format(*name.split("_")): f"{when}x50"
        for name, when in digests.items()
    }


def durations(**buckets: str) -> Series:
    edges = {"quarter": "0.25", "half": "0.5", "one": "1", "rest": "+Inf"}
    name = "genderclient_duration_seconds_bucket"
    return {f'{name}{{le="{edges[edge]}"}}': values for edge, values in buckets.items()}


def memory(used: str) -> Series:
    return {'nv_cpu_memory_used_bytes{instance="a"}': used, 'nv_cpu_memory_total_bytes{instance="a"}': "100x200"}


def errors(kind: str, values: str, model: str = "gender_mobilenet") -> Series:
    return {f'genderclient_errors_total{{model="{model}",error_type="{kind}"}}': values}


def predictions(gender: str, values: str) -> Series:
    return {f'genderclient_predictions_total{{model="gender_mobilenet",gender="{gender}"}}': values}


def results(model: str, values: str) -> Series:
    return {f'genderclient_results_total{{question="of {model}",model="{model}"}}': values}


def probabilities(low: str, total: str) -> Series:
    name = 'genderclient_probability_{}{{model="gender_mobilenet"{}}}'
    buckets = {name.format("bucket", f',le="{edge}"'): values for edge, values in (("0.7", low), ("+Inf", total))}
    return {**buckets, name.format("count", ""): total, **predictions("male", total)}


def missing(users: str, avatars: str, pictures: str = "0x2100") -> Series:
    """Users of two ensembles, those of them without an avatar, and pictures, which are no users."""
    count = 'nv_inference_count{{model="{}"}}'
    return {
        **dict.fromkeys(map(count.format, ("gender_mobilenet", "rank_densenet")), users),
        **dict.fromkeys(map(count.format, ("embed", "preprocess", "rank_embedding")), pictures),
        'gender_missing_inputs_total{tensor="AVATAR",reason="absent"}': avatars,
    }


def drift(alert: str, series: Series, labels: dict[str, str] | None = None, summary: str = "") -> Case:
    """A week has 2,016 samples. The series change after it, two hours before the evaluation."""
    return Case(alert, series, labels, summary, at="7d2h", step="5m")


CANARY = 'gender_canary_ok{instance="a",model="mobilenet"}'
UP = 'up{job="triton",instance="a"}'
PENDING = 'nv_inference_pending_request_count{instance="a",model="mobilenet"}'
RESTARTS = 'gender_server_restarts_total{instance="a"}'
REVIVALS = 'gender_model_revivals_total{instance="a",model="mobilenet"}'
A = {"instance": "a"}

EXPIRY = 'gender_edge_certificate_expiry_timestamp_seconds{instance="a"}'


def front(**rates: str) -> Series:
    """Requests of a client by status; those with status 400 are the reverse proxy's own refusals."""
    sample = 'gender_edge_requests_total{{instance="a",client="{}",status="{}",answered_by="{}"}}'
    series = {}
    for name, values in rates.items():
        client, _, status = name.rpartition("_")
        series[sample.format(client, status, "front" if status == "400" else "triton")] = values
    return series


QUICK: Final = [
    Case("ReverseProxyDown", {'gender_edge_up{instance="a"}': "1x3 0x20"}, A, "The reverse proxy of a does not listen"),
    Case("ReverseProxyDown", {'gender_edge_up{instance="a"}': "1x18 0 1x5"}),
    Case(
        "ReverseProxyErrors",
        front(shop_200="0+97x20", shop_502="0+3x20"),
        A,
        "The reverse proxy of a fails 3% of the requests",
    ),
    Case(
        "ReverseProxyErrors",
        front(shop_200="0+97x20", shop_503="0+3x20"),
        A,
        "The reverse proxy of a fails 3% of the requests",
    ),
    Case(
        "ReverseProxyErrors",
        front(shop_200="0+90x20", shop_504="0+5x20", shop_503="0+5x20"),
        A,
        "The reverse proxy of a fails 10% of the requests",
    ),
    Case("ReverseProxyErrors", front(shop_200="0+97x20", **{"bulk-a_503": "0+300x20"})),
    Case(
        "ReverseProxyErrors",
        front(shop_200="0+97x20", shop_502="0+3x20", **{"bulk-a_503": "0+300x20"}),
        A,
        "The reverse proxy of a fails 3% of the requests",
    ),
    Case("ReverseProxyErrors", front(shop_200="0+97x20", shop_429="0+30x20", _401="0+500x20")),
    Case("CertificateExpires", {EXPIRY: "605400x20"}, A, "The certificate of a expires in 7d 0h 0m 0s"),
    Case("CertificateExpires", {EXPIRY: "1300000x20"}),
    Case("UnknownTokens", front(_401="0+60x60"), A, "a refuses 2 requests per second for their token", at="25m"),
    Case("UnknownTokens", front(_401="0+15x60", shop_200="0+60x60"), at="25m"),
    Case(
        "RefusedShapes",
        front(shop_400="0+2x60", shop_200="0+98x60", other_200="0+1000x60"),
        A | {"client": "shop"},
        "2% of the requests of shop are malformed",
        at="25m",
    ),
    Case("RefusedShapes", front(shop_400="0+1x60", shop_200="0+999x60"), at="25m"),
    Case("CanaryFailing", {CANARY: "1x3 0x20"}, MOBILENET, "The canary of mobilenet on a fails"),
    Case("CanaryFailing", {CANARY: "1x18 0 1x5"}),
    Case("TargetDown", {UP: "1x3 0x20"}, {"job": "triton", **A}, "triton on a cannot be scraped"),
    Case("TargetDown", {UP: "1x18 0 1x5"}),
    Case("TargetDown", {'up{job="node",instance="a"}': "0x20"}),
    Case(
        "TargetDown",
        {'up{job="pods",namespace="gender",instance="a"}': "0x20"},
        {"job": "pods", "namespace": "gender", **A},
        "pods on a cannot be scraped",
    ),
    Case("ServerErrors", triton("0+300x20", "0+6x20", "0+12x20"), A, "a fails 2% of its requests"),
    Case("ServerErrors", triton("0+300x20", "0+1x20", "0+2x20")),
    Case(
        "ServerErrors",
        triton("0+30x20", "0+1x20", "0+2x20")
        | {'nv_inference_request_success{instance="a",model="rank_embedding"}': "0+3000x20"},
    ),
    Case("ServerErrors", triton("0+300x20", rejections="0+200x20")),
    *(
        Case("ServerErrors", triton("0+300x20") | failed(ensemble, "OTHER", "0+200x20"))
        for ensemble in ("rank_mobilenet", "rank_embedding_canary", "embed", "similar_canary", "screen")
    ),
    Case("ServerErrors", triton("0+300x20") | failed("ranker", "CANCELED", "0+200x20")),
    Case("QueueGrowing", {PENDING: "0+4x20"}, MOBILENET, "80 requests wait for mobilenet on a"),
    Case("QueueGrowing", {PENDING: "0x15 40x2 0 40x3"}),
    Case("QueueGrowing", {PENDING: "32x40"}),
    Case("LongWait", queue("0+60000000x20", "0+300x20"), MOBILENET, "Requests wait 200ms for mobilenet on a"),
    Case("LongWait", queue("0+15000000x20", "0+300x20")),
    Case("ServerRestarted", {RESTARTS: "0x10 1x10"}, A, "The supervisor on a restarted Triton"),
    Case("ServerRestarted", {RESTARTS: "7x20"}),
    Case(
        "ServerKeepsCrashing",
        {RESTARTS: "0+1x40"},
        A,
        "The supervisor on a restarted Triton 30 times in 15 minutes",
        at="20m",
    ),
    Case("ServerKeepsCrashing", {RESTARTS: "0x12 1x5 2x5 3x50"}, at="19m50s"),
    Case(
        "ServerKeepsCrashing",
        {RESTARTS: "0x12 1x5 2x5 3x5 4x50"},
        A,
        "The supervisor on a restarted Triton 4 times in 15 minutes",
        at="19m50s",
    ),
    Case("ModelRevived", {REVIVALS: "0x5 1x5 2x5 4x5"}, MOBILENET, "mobilenet on a keeps dying"),
    Case("ModelRevived", {REVIVALS: "0x5 1x5 2x150"}, at="59m50s"),
    Case("MemoryGrowing", memory("50+0.25x200"), A, "The memory of a will be full in four hours", "100m", "1m"),
    Case("MemoryGrowing", memory("50+0.05x200"), at="100m", step="1m"),
    Case(
        "PreprocessingDiffers",
        loaded(a_old="100", b_old="100", b_new="200"),
        {},
        "The servers run 2 different versions of the preprocessing",
        at="40m",
        step="1m",
    ),
    Case("PreprocessingDiffers", loaded(a_old="100", a_new="210", b_old="100", b_new="200"), at="40m", step="1m"),
    Case(
        "ClientErrors",
        errors("Unavailable", "0+6x20") | predictions("male", "0+94x20"),
        ENSEMBLE,
        "6% of the calls to gender_mobilenet fail",
    ),
    Case("ClientErrors", errors("Unavailable", "0+6x20"), ENSEMBLE, "100% of the calls to gender_mobilenet fail"),
    Case("ClientErrors", errors("InvalidAvatar", "0+60x20") | predictions("male", "0+94x20")),
    Case("ClientErrors", errors("Unavailable", "0+1x20", "rank_mobilenet") | results("rank_mobilenet", "0+199x20")),
    Case(
        "ClientErrors",
        errors("Unavailable", "0+6x20", "embed") | results("embed", "0+94x20"),
        {"model": "embed"},
        "6% of the calls to embed fail",
    ),
    Case(
        "SlowAnswers",
        durations(quarter="0+90x60", half="0+96x60", one="0+100x60", rest="0+100x60"),
        {},
        "One call in a hundred takes 875ms or more",
        at="20m",
    ),
    Case("SlowAnswers", durations(quarter="0+99x60", half="0+100x60", one="0+100x60", rest="0+100x60"), at="20m"),
    Case(
        "RefusedInputs",
        rejected("0+10x60") | triton("0+100x60"),
        {},
        "10% of the requests are rejected for an invalid input",
        at="25m",
    ),
    Case("RefusedInputs", rejected("0+4x60") | triton("0+100x60"), at="25m"),
]

WEEKLY: Final = [
    drift(
        "MissingInputsDrift",
        missing("0+250x2100", "0+50x2016 101000+200x80"),
        {"tensor": "AVATAR"},
        "The share of users without AVATAR differs by 30% from last week's",
    ),
    drift("MissingInputsDrift", missing("0+250x2100", "0+50x2016 100870+70x80")),
    drift("MissingInputsDrift", missing("0+25x2100", "0+5x2016 10100+20x80")),
    drift("MissingInputsDrift", missing("0+250x2100", "0+200x2100", "0x2016 4000+4000x80")),
    drift(
        "UnknownShareDrift",
        predictions("male", "0+450x2100") | predictions("unknown", "0x2016 150+150x80"),
        ENSEMBLE,
        "The share of `unknown` from gender_mobilenet differs by 25% from last week's",
    ),
    drift("UnknownShareDrift", predictions("male", "0+450x2100") | predictions("unknown", "0+50x2016 100880+80x80")),
    drift("UnknownShareDrift", predictions("male", "0+45x2100") | predictions("unknown", "0x2016 15+15x80")),
    drift(
        "ProbabilityDrift",
        probabilities("0+100x2016 201900+300x80", "0+500x2100"),
        ENSEMBLE,
        "The probability distribution of gender_mobilenet differs by 40% from last week's",
    ),
    drift("ProbabilityDrift", probabilities("0+100x2016 201725+125x80", "0+500x2100")),
    drift("ProbabilityDrift", probabilities("0+10x2016 20190+30x80", "0+50x2100")),
]
