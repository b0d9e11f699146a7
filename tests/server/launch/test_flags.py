"""Parsing Triton's command line."""

import pytest

from server.launch.endpoints import Endpoint, triton_endpoints
from server.launch.flags import Flags, with_defaults


def test_flags_accept_both_spellings() -> None:
    flags = Flags(["--http-port=1", "--grpc-port", "2", "--disable-auto-complete-config", "--id="])
    assert flags.all("http-port") == ["1"]
    assert flags.all("grpc-port") == ["2"]
    assert flags.all("disable-auto-complete-config") == []
    assert flags.all("id") == [""]


def test_last_value_of_a_repeated_flag_wins() -> None:
    flags = Flags(["--http-port=1", "--http-port", "2"])
    assert flags.all("http-port") == ["1", "2"]
    assert flags.last("http-port", "8000") == "2"


@pytest.mark.parametrize("given", [["--http-address=0.0.0.0"], ["--http-address", "0.0.0.0"]])
def test_given_flags_override_defaults(given: list[str]) -> None:
    defaults = {"http-address": "127.0.0.1", "grpc-address": "127.0.0.1"}
    assert with_defaults(given, defaults) == ["--grpc-address=127.0.0.1", *given]


def test_metrics_follow_the_http_address() -> None:
    assert triton_endpoints(["--http-address=127.0.0.1"]) == [
        Endpoint("HTTP", "127.0.0.1", 8000, "--http-port"),
        Endpoint("gRPC", "0.0.0.0", 8001, "--grpc-port"),
        Endpoint("metrics", "127.0.0.1", 8002, "--metrics-port"),
    ]


@pytest.mark.parametrize("flag", ["--allow-grpc=false", "--allow-grpc=0", "--reuse-grpc-port=true", "--grpc-port=x"])
def test_disabled_shared_and_invalid_ports_are_left_out(flag: str) -> None:
    assert [endpoint.service for endpoint in triton_endpoints([flag])] == ["HTTP", "metrics"]
