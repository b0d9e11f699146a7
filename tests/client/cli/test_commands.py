"""`genderclient predict`, `health`, `models` and `experiment` on a real server."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genderclient import Experiment
from genderclient._cli.app import app
from genderclient._cli.inspection import DEFAULT_MODELS, OTHER_MODELS
from server.catalog import Catalog
from tests.client.cli.conftest import Run
from tests.support.client.model_repository import GENDER_IO, add_model
from tests.support.pictures import encode, noise
from tests.support.tritonserver import ROOT, Server, free_ports, running_triton

CATALOG = Catalog(ROOT / "model_repository")


def test_predict_prints_gender_and_weights(run: Run, tmp_path: Path) -> None:
    (tmp_path / "me.jpg").write_bytes(encode(noise(), "JPEG"))
    result = run("predict", "--nickname", "小美", "--avatar", tmp_path / "me.jpg")
    assert result.exit_code == 0
    assert re.match(
        r"(male|female|unknown) \(\d+\.\d%\); weights: avatar [01]\.\d+, nickname [01]\.\d+; ", result.output
    )


def test_predict_prints_json(run: Run) -> None:
    prediction = json.loads(run("predict", "--nickname", "小美", "--model", "gender_densenet", "--json").output)
    assert (prediction["gender"], prediction["model"]) == ("female", "gender_densenet")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("predict", "--avatar", "gone.jpg"), 1, "avatar: cannot read the file: No such file"),
        (("predict", "--avatar", "HTTPS://host/me.jpg"), 1, "avatar: got a web address"),
        (("predict", "--avatar", "//host/me.jpg"), 1, "avatar: got a web address"),
        (("predict", "--model", "gender_resnet"), 1, "gender_resnet: .*check the name"),
        (("predict", "--url", "ftp://x"), 2, "server URL: expected grpc://"),
        (("predict", "--timeout-s", "0"), 2, "timeout_s: "),
        (("predict", "--unknown-below", "7"), 2, "unknown_below: "),
        (("predict", "--ca-file", "gone.pem"), 2, "ca_file: .*'gone.pem'"),
        (("models", "--url", "nowhere"), 2, "server URL: expected"),
        (("experiment", "x", "--arm", "a"), 2, "--arm a: expected MODEL=WEIGHT"),
        (("experiment", "x", "--arm", "a=1", "--users", "gone.txt"), 2, "gone.txt"),
    ],
)
def test_error_is_one_line(run: Run, arguments: tuple[str, ...], code: int, message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert re.match(rf"genderclient: .*{message}", result.stderr)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_health_checks_models_with_a_role(run: Run, url: str) -> None:
    result = run("health", "--url", url)
    assert result.exit_code == 0
    checked = re.findall(r"^(\w+): ok, [\d.]+ ms$", result.output, re.MULTILINE)
    assert sorted(checked) == sorted(ensemble.name for ensemble in CATALOG.ensembles())


def test_default_models_are_the_stable_gender_ensembles() -> None:
    assert {*DEFAULT_MODELS} == {CATALOG.ensemble(backbone).name for backbone in CATALOG.backbones()}
    assert {*DEFAULT_MODELS, *OTHER_MODELS} == {ensemble.name for ensemble in CATALOG.ensembles()}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that does not list its models."""
    folder = tmp_path_factory.mktemp("locked")
    for model in ("gender_mobilenet", "gender_mobilenet_canary", "other"):
        add_model(folder, model, GENDER_IO)
    lock = "=model-repository:admin=secret"
    with running_triton(folder, f"--grpc-restricted-protocol{lock}", f"--http-restricted-api{lock}") as server:
        yield server


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two models that only their role tells apart."""
    folder = tmp_path_factory.mktemp("renamed")
    role = 'parameters {{ key: "role" value {{ string_value: "{}" }} }}'
    add_model(folder, "anything", GENDER_IO + role.format("gender"))
    add_model(folder, "other", GENDER_IO + role.format("shadow"))
    with running_triton(folder) as server:
        yield server


def address(server: Server, scheme: str) -> str:
    return f"{scheme}://{server.grpc_url if scheme == 'grpc' else server.http_url}"


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_health_checks_default_models_and_canaries_if_index_is_locked(locked: Server, scheme: str) -> None:
    result = CliRunner().invoke(app, ["health", "--url", address(locked, scheme), "--json"])
    assert {model: check["ok"] for model, check in json.loads(result.stdout).items()} == {
        "gender_densenet": False,
        "gender_mobilenet": True,
        "gender_mobilenet_canary": True,
    }
    assert re.fullmatch("genderclient: checking the default models, because .*\n", result.stderr)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_health_checks_models_by_role_not_by_name(renamed: Server, scheme: str) -> None:
    result = CliRunner().invoke(app, ["health", "--url", address(renamed, scheme), "--json"])
    assert (list(json.loads(result.stdout)), result.exit_code) == (["anything"], 0)


def test_health_checks_every_server(locked: Server, renamed: Server) -> None:
    first, second = address(locked, "grpc"), address(renamed, "http")
    result = CliRunner().invoke(app, ["health", "--url", f"{first},{second}", "--json"])
    assert {name: check["ok"] for name, check in json.loads(result.stdout).items()} == {
        f"{first} gender_densenet": False,
        f"{first} gender_mobilenet": True,
        f"{first} gender_mobilenet_canary": True,
        f"{second} anything": True,
    }
    assert result.exit_code == 1


def test_health_of_a_server_that_is_gone_asks_little() -> None:
    (port,) = free_ports(1)
    result = CliRunner().invoke(app, ["health", "--url", f"grpc://127.0.0.1:{port}", "--json"])
    assert sorted(json.loads(result.stdout)) == sorted(DEFAULT_MODELS)
    assert (result.exit_code, result.stderr) == (1, "")


def test_health_asks_each_model_its_own_question(run: Run) -> None:
    names = [ensemble.name for ensemble in CATALOG.ensembles()]
    result = run("health", *(part for name in names for part in ("--model", name)), "--json")
    assert {model: check["ok"] for model, check in json.loads(result.output).items()} == dict.fromkeys(names, True)


def test_health_reports_models_that_fail(run: Run) -> None:
    result = run("health", "--model", "gender_mobilenet", "--model", "gender_resnet", "--json")
    assert result.exit_code == 1
    checks = json.loads(result.output)
    assert {model: check["ok"] for model, check in checks.items()} == {"gender_mobilenet": True, "gender_resnet": False}
    assert checks["gender_mobilenet"]["latency_ms"] > 0
    assert "check the name" in checks["gender_resnet"]["error"]


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_models_lists_repository(run: Run, triton: Server, scheme: str) -> None:
    url = f"{scheme}://{triton.grpc_url if scheme == 'grpc' else triton.http_url}"
    (entries,) = json.loads(run("models", "--url", url, "--json").output).values()
    assert {entry["name"]: entry["state"] for entry in entries} == dict.fromkeys(CATALOG.models(), "READY")
    assert re.search(r"^  gender_mobilenet \d+ READY$", run("models", "--url", url).output, re.MULTILINE)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_models_reports_unreachable_server(run: Run, scheme: str) -> None:
    (port,) = free_ports(1)
    result = run("models", "--url", f"{scheme}://127.0.0.1:{port}")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "is Triton running" in result.stderr


def test_experiment_prints_arms_and_counts(run: Run, tmp_path: Path) -> None:
    ids = [f"user-{number}" for number in range(200)]
    (tmp_path / "ids.txt").write_text("\n".join(ids), encoding="utf-8-sig")
    arguments = ("experiment", "x", "--arm", "a=1", "--arm", "b=3", "--salt", "s", "--holdout", "0.1")
    users = ("--users", tmp_path / "ids.txt")
    printed = json.loads(run(*arguments, "--user", "user-7", *users, "--json").output)
    split = Experiment("x", {"a": 1.0, "b": 3.0}, salt="s", holdout=0.1)
    arms = [split.arm_of(user) or "held out" for user in ids]
    assert printed == {
        "users": {"user-7": arms[7]},
        "counts": {name: arms.count(name) for name in ("a", "b", "held out")},
    }
    assert "b: " in run(*arguments, *users).output


def test_file_of_ids_in_another_encoding_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("小美", encoding="gb18030")
    result = run("experiment", "x", "--arm", "a=1", "--users", tmp_path / "ids.txt")
    assert result.exit_code == 2
    assert result.stderr.endswith("ids.txt: expected one user id per line, in UTF-8\n")


def test_help_lists_commands() -> None:
    done = subprocess.run([sys.executable, "-m", "genderclient", "-h"], capture_output=True, text=True, check=True)
    for command in ("predict", "score", "rank", "health", "models", "experiment", "--install-completion", "--version"):
        assert command in done.stdout


@pytest.mark.parametrize("command", ["predict", "score", "rank", "health", "models", "experiment"])
def test_h_is_short_for_help(run: Run, command: str) -> None:
    assert run(command, "-h").output == run(command, "--help").output


def test_version_is_that_of_package(run: Run) -> None:
    assert run("--version").output == f"genderclient {version('genderclient')}\n"
