"""The PromQL that the experiment evaluates."""

from typing import Final

from genderprep.tensors import AVATAR, NICKNAME

from .instrumented_client import BACKBONE, MODEL

WINDOW: Final = "5s"
_SELECTOR: Final = f'model="{MODEL}"'
_PREPROCESSED: Final = f'sum(rate(nv_inference_count{{model="preprocess"}}[{WINDOW}]))'
# `nv_inference_count` includes refused requests.
_ANSWERED: Final = f"({_PREPROCESSED} - sum(rate(gender_refused_requests_total[{WINDOW}])))"
_CLIENT_BUCKETS: Final = f"sum by (le) (rate(genderclient_duration_seconds_bucket[{WINDOW}]))"


def _missing_share(tensor: str) -> str:
    return f'sum(rate(gender_missing_inputs_total{{tensor="{tensor}"}}[{WINDOW}])) / {_ANSWERED}'


# Evaluated for every second. Model latencies are those of the backbone with its queue: Triton has no summary for an
# ensemble whose answers may be cached.
SERIES: Final = {
    "answered_per_s": f"sum(rate(nv_inference_request_success{{{_SELECTOR}}}[{WINDOW}]))",
    "refused_per_s": f"sum(rate(gender_refused_requests_total[{WINDOW}]))",
    **{f"client_p{rank}_ms": f"1000 * histogram_quantile({rank / 100}, {_CLIENT_BUCKETS})" for rank in (50, 99)},
    **{
        f"model_p{rank}_ms": f'nv_inference_request_summary_us{{model="{BACKBONE}",quantile="{rank / 100}"}} / 1000'
        for rank in (50, 99)
    },
    "waiting": "sum(nv_inference_pending_request_count)",
    "wait_ms": f'sum(rate(nv_inference_queue_duration_us{{model!~"gender_.+"}}[{WINDOW}])) / 1000 / {_PREPROCESSED}',
    "no_avatar": _missing_share(AVATAR),
    "no_nickname": _missing_share(NICKNAME),
    "unknown": f'sum(rate(genderclient_predictions_total{{gender="unknown"}}[{WINDOW}])) '
    f"/ sum(rate(genderclient_predictions_total[{WINDOW}]))",
    "avatar_weight": f"sum(rate(genderclient_weight_avatar_sum[{WINDOW}])) "
    f"/ sum(rate(genderclient_weight_avatar_count[{WINDOW}]))",
}
# Evaluated before and after: the totals that server and client count.
COUNTS: Final = {
    "server": {
        "answered": f"sum(nv_inference_request_success{{{_SELECTOR}}})",
        **{f"missing {name}": f'sum(gender_missing_inputs_total{{tensor="{name}"}})' for name in (AVATAR, NICKNAME)},
        **{f"refused {name}": f'sum(gender_refused_requests_total{{tensor="{name}"}})' for name in (AVATAR, NICKNAME)},
    },
    "client": {
        "answered": "sum(genderclient_predictions_total)",
        f"refused {AVATAR}": 'sum(genderclient_errors_total{error_type="InvalidAvatar"})',
        f"refused {NICKNAME}": 'sum(genderclient_errors_total{error_type="InvalidNickname"})',
    },
}
