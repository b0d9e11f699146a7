"""Triton's responses to requests that schemathesis generates from `v2.openapi.yaml`."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.compat.environment import SCRIPTS, program
from tests.support.inference import Refused, json_input, post
from tests.support.tritonserver import Server

OPTIONS = (
    "--phases=examples,coverage,fuzzing",
    "--max-examples=20",
    "--seed=1",
    "--no-shrink",
    "--request-timeout=60",
    "--continue-on-failure",
)
CHECKS = "not_a_server_error,status_code_conformance,response_schema_conformance"
# Triton 2.51 responds with 500 instead of 400 if the body is not JSON, or if a key is missing or has another type.
PARSER_ERRORS = {
    "failed to parse the request JSON buffer",
    "failed to get request params",
    "Unable to parse",
    "Unable to set",
}


def run_schemathesis(server: Server, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(program("schemathesis")), "run", str(SCRIPTS / "v2.openapi.yaml"), f"--url=http://{server.http_url}"]
    return subprocess.run([*command, *OPTIONS, *options], cwd=folder, capture_output=True, text=True, timeout=240)


def test_valid_requests_get_no_server_error(triton: Server, tmp_path: Path) -> None:
    """Binary requests are excluded: OpenAPI cannot express that a header gives the length of a part of the body."""
    options = ("--mode=positive", f"--checks={CHECKS}", "--exclude-operation-id=inferBinary")
    run = run_schemathesis(triton, tmp_path, *options)
    assert run.returncode == 0, run.stdout + run.stderr


def test_invalid_requests_get_known_server_errors_only(triton: Server, tmp_path: Path) -> None:
    report = tmp_path / "report.har"
    run_schemathesis(triton, tmp_path, "--checks=not_a_server_error", "--report=har", f"--report-har-path={report}")
    entries = json.loads(report.read_text())["log"]["entries"]
    responses = [(entry["response"]["status"], entry["response"]["content"]["text"]) for entry in entries]
    assert {status // 100 for status, _ in responses} == {2, 4, 5}
    assert {error_kind(body) for status, body in responses if status >= 500} == PARSER_ERRORS
    assert {status for status, _ in responses if status >= 500} == {500}


def test_parameter_name_ends_at_nul(triton: Server) -> None:
    inputs = [{**json_input(name), "data": [""]} for name in ("AVATAR", "NICKNAME")]
    body = json.dumps({"inputs": inputs, "parameters": {"a\0b": 1}}).encode()
    with pytest.raises(Refused, match="parameter key 'a' was not found in the JSON") as caught:
        post(triton, "gender_mobilenet", body)
    assert caught.value.status == "500"


def error_kind(body: str) -> str:
    """The beginning of an error of Triton's JSON parser; other errors as they are."""
    error: str = json.loads(body)["error"]
    match = re.match("|".join(PARSER_ERRORS), error)
    return match[0] if match else error
