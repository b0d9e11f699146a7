"""Clients in forked processes, as in gunicorn with --preload and Celery."""

import subprocess
import sys

FORK = """
import os, sys
from genderclient import Client, GenderClientError, Hedge, predict

client = Client(sys.argv[1], hedge=Hedge(after_s=5))

def call(who):
    try:
        print(who, client.predict(nickname="a").model, predict(nickname="a").model, flush=True)
    except GenderClientError as error:
        print(who, type(error).__name__, error, flush=True)

if sys.argv[2] == "used":
    call("parent")
if (child := os.fork()) == 0:
    call("child")
    os._exit(0)
os.waitpid(child, 0)
call("parent")
"""
MODEL = "gender_mobilenet"


def run_fork(url: str, state: str) -> list[str]:
    finished = subprocess.run(
        [sys.executable, "-c", FORK, url, state],
        env={"GENDERCLIENT_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return finished.stdout.splitlines()


def test_unused_client_works_after_a_fork(url: str) -> None:
    assert run_fork(url, "unused") == [f"child {MODEL} {MODEL}", f"parent {MODEL} {MODEL}"]


def test_used_client_works_after_a_fork_or_says_why_not(url: str, scheme: str) -> None:
    before, child, after = run_fork(url, "used")
    assert before == after == f"parent {MODEL} {MODEL}"
    if scheme == "http":
        assert child == f"child {MODEL} {MODEL}"
    else:
        assert child.startswith("child GenderClientError this process was forked after it had used gRPC")
