"""Write the figures of the main READMEs, from the result files, between two comments of theirs.

    python -m docs.headline

Both languages have the same table; only the words differ. Brackets hold 95% intervals.
"""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

from training.ranking.ablation_rows import PUBLISHED
from training.report import markdown_table

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "results"
_BACKBONES: Final = {"densenet": "DenseNet121", "mobilenet": "MobileNetV2"}
_BEGIN: Final = "<!-- figures -->\n"
_END: Final = "<!-- end of figures -->\n"

_WORDS: Final[dict[str, dict[str, str]]] = {
    "README.md": {
        "tutorial": "docs/tutorial.md",
        "faces": "AUC, photos of unseen faces (FairFace)",
        "nicknames": "AUC, unseen real names alone",
        "both": "AUC, unseen users with avatar and nickname",
        "surely_wrong": "wrong although more than 90% sure, all unseen users",
        "p50": "milliseconds per prediction, one client (median)",
        "users": "users a day on one core, from the CPU time of each request at full load",
        "users_a_day": "{millions:.0f} million",
        "ranking": "Choosing the best of 200 pictures for a user with a stored embedding takes {p50} ms. In a "
        "[simulated world whose tastes are known](results/ranking.md), the ranker reaches {share} of what is possible.",
        "first_use": "From `git clone`, without the time to read and type, the [tutorial](docs/tutorial.md) takes "
        "{first_prediction:.0f} s to the first prediction, {demo_page:.0f} s to the demo page, {own_code:.0f} s to a "
        "prediction from your code, {score_file:.0f} s to a scored file of 1,000 users, and {own_minutes:.0f} minutes "
        "to a model that you trained and serve. The packages came from a nearby index; timed on {machine}.",
        "source": "From [versions](MODEL_CARD.md#this-version-beside-version-2), [latency]"
        "(results/PERFORMANCE.md#latency-and-throughput) and [ranking](results/PERFORMANCE.md#ranking), on {machine}, "
        "by `python -m docs.headline`.",
    },
    "README.zh.md": {
        "tutorial": "docs/zh/tutorial.md",
        "faces": "AUC，未见过的人脸照片（FairFace）",
        "nicknames": "AUC，仅凭未见过的真实姓名",
        "both": "AUC，未见过的用户（头像和昵称都有）",
        "surely_wrong": "置信度超过 90% 却判断错误（全部未见过的用户）",
        "p50": "单客户端每次预测的毫秒数（中位数）",
        "users": "单核每天可服务的用户数（按满载时每个请求的 CPU 时间推算）",
        "users_a_day": "{ten_thousands:.0f} 万",
        "ranking": "如果用户的嵌入向量已经存好，从 200 张图片中选出最合适的只需 {p50} 毫秒。"
        "在[偏好已知的模拟世界](results/ranking.md)中，排序模型达到理论上限的 {share}。",
        "first_use": "从 `git clone` 算起，不计阅读和输入的时间，按[教程](docs/zh/tutorial.md)操作："
        "{first_prediction:.0f} 秒得到第一次预测，{demo_page:.0f} 秒打开演示页，"
        "{own_code:.0f} 秒在自己的代码里完成预测，{score_file:.0f} 秒给一千个用户的文件打完分，"
        "{own_minutes:.0f} 分钟后用上自己训练的模型。安装包来自就近的镜像，计时机器：{machine}。",
        "source": "数据来自[各版本对比](MODEL_CARD.md#this-version-beside-version-2)、[延迟]"
        "(results/PERFORMANCE.md#latency-and-throughput)和[排序](results/PERFORMANCE.md#ranking)，"
        "测试机器：{machine}；由 `python -m docs.headline` 写入。",
    },
}


def documents() -> dict[Path, str]:
    """Return both READMEs with the present figures, by file."""
    return {ROOT / name: _with_figures(ROOT / name, words) for name, words in _WORDS.items()}


def _with_figures(readme: Path, words: Mapping[str, str]) -> str:
    before, rest = readme.read_text(encoding="utf-8").split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}{_figures(words)}{_END}{after}"


def _figures(words: Mapping[str, str]) -> str:
    columns = [_backbone(name, words["users_a_day"]) for name in _BACKBONES]
    rows = [[words[key], *(column[key] for column in columns)] for key in columns[0]]
    ranking = words["ranking"].format(p50=_ranking_p50(), share=_share_of_ceiling())
    first_use = words["first_use"].format(**_first_use(words["tutorial"]))
    source = words["source"].format(machine=_result("latency")["machine"])
    return f"{markdown_table(rows, ['', *_BACKBONES.values()])}\n\n{ranking}\n\n{first_use}\n\n{source}\n"


def _backbone(name: str, users_a_day: str) -> dict[str, str]:
    sets = _result("versions")["sets"]
    version = max(sets["users"]["all"], key=lambda column: (column.startswith(f"{name} "), column))
    faces = sets["pictures"]["source faces_fairface"][version]
    names = sets["nicknames"]["set names"][version]
    rounds = [row for row in _rows("latency") if (row["model"], row["how"]) == (name, "grpc")]
    users = 86_400_000 / _median(rounds, 32, "cpu_ms")
    return {
        "faces": _auc(faces),
        "nicknames": _auc(names),
        "both": _auc(sets["users"]["pattern both"][version]),
        "surely_wrong": f"{sets['users']['all'][version]['surely_wrong']:.1%}",
        "p50": f"{_median(rounds, 1, 'p50_ms'):.1f}",
        "users": users_a_day.format(millions=users / 1e6, ten_thousands=users / 1e4),
    }


def _auc(measures: Mapping[str, float]) -> str:
    return "{auc:.3f} [{auc_low:.3f}, {auc_high:.3f}]".format(**measures)


def _ranking_p50() -> str:
    asked = [row for row in _rows("ranking_latency") if (row["asked"], row["server"]) == ("200 candidates", "Triton")]
    return f"{_median([row for row in asked if row['pictures'] == '10000'], 1, 'p50_ms'):.1f}"


def _share_of_ceiling() -> str:
    return f"{_result('ranking')['rows'][PUBLISHED]['all']['share']:.0%}"


def _first_use(tutorial: str) -> dict[str, Any]:
    result = _result("first_use")
    seconds: dict[str, float] = result["seconds"][tutorial]
    return {**seconds, "own_minutes": seconds["own_model"] / 60, "machine": result["machine"]}


def _median(rows: list[dict[str, str]], clients: int, column: str) -> float:
    return median(float(row[column]) for row in rows if float(row["clients"] or 0) == clients)


def _rows(name: str) -> list[dict[str, str]]:
    with (RESULTS / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _result(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return result


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
