"""What the server makes of requests that schemathesis composes from our description of the v2 protocol."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.compat.environment import SCRIPTS, program
from tests.support.inference import Refused, json_input, post
from tests.support.tritonserver import Server

DESCRIPTION = SCRIPTS / "v2.openapi.yaml"
OPTIONS = (
    "--phases=examples,coverage,fuzzing",
    "--max-examples=20",
    "--seed=1",
    "--no-shrink",
    "--request-timeout=60",
    "--continue-on-failure",
)
CHECKS = "not_a_server_error,status_code_conformance,response_schema_conformance"
# Triton 2.51 says 500, not 400, to a body that is no JSON, or whose JSON has a wrong type or lacks a key.
KNOWN = {
    "failed to parse the request JSON buffer",
    "failed to get request params",
    "Unable to parse",
    "Unable to set",
}


def schemathesis(server: Server, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        str(program("schemathesis")),
        "run",
        str(DESCRIPTION),
        f"--url=http://{server.http_url}",
        *OPTIONS,
        *options,
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)


def test_what_follows_the_protocol_gets_no_server_error(triton: Server, tmp_path: Path) -> None:
    """The binary extension is left out: a description cannot say how a length fits its body."""
    options = ("--mode=positive", f"--checks={CHECKS}", "--exclude-operation-id=inferBinary")
    run = schemathesis(triton, tmp_path, *options)
    assert run.returncode == 0, run.stdout + run.stderr


def test_what_does_not_gets_those_that_are_known(triton: Server, tmp_path: Path) -> None:
    report = tmp_path / "report.har"
    schemathesis(triton, tmp_path, "--checks=not_a_server_error", "--report=har", f"--report-har-path={report}")
    entries = json.loads(report.read_text())["log"]["entries"]
    answers = [(entry["response"]["status"], entry["response"]["content"]["text"]) for entry in entries]
    assert {status // 100 for status, _ in answers} == {2, 4, 5}
    assert {reason(text) for status, text in answers if status >= 500} == KNOWN
    assert {status for status, _ in answers if status >= 500} == {500}


def test_a_parameter_named_with_nul_is_another(triton: Server) -> None:
    """Only a parameter that nobody defined can have such a name."""
    inputs = [{**json_input(name), "data": [""]} for name in ("AVATAR", "NICKNAME")]
    body = json.dumps({"inputs": inputs, "parameters": {"a\0b": 1}}).encode()
    with pytest.raises(Refused, match="parameter key 'a' was not found in the JSON") as caught:
        post(triton, "gender_mobilenet", body)
    assert caught.value.status == "500"


def reason(body: str) -> str:
    """How an error of Triton's JSON parser begins; any other error as it is."""
    error: str = json.loads(body)["error"]
    match = re.match("|".join(KNOWN), error)
    return match[0] if match else error
