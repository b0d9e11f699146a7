"""tritonserver's command line: what the user said, what we add, and which ports follow from it."""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

FALSE = frozenset({"false", "0", "off"})


class Flags:
    """The flags of a command line, in both spellings: `--flag=value` and `--flag value`."""

    def __init__(self, arguments: Iterable[str]) -> None:
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        open_flag = ""
        for argument in arguments:
            if argument.startswith("--"):
                open_flag, _, value = argument.removeprefix("--").partition("=")
                self._values[open_flag] += [value] if "=" in argument else []
            elif open_flag:
                self._values[open_flag].append(argument)
                open_flag = ""

    def __contains__(self, flag: str) -> bool:
        return flag in self._values

    def all(self, flag: str) -> list[str]:
        """Every value given for a flag that may be repeated."""
        return self._values.get(flag, [])

    def last(self, flag: str, default: str) -> str:
        """The value that counts for a flag given once: the last one."""
        return (self.all(flag) or [default])[-1]

    def allows(self, flag: str, default: bool) -> bool:
        """A boolean flag, spelled as Triton reads it."""
        return self.last(flag, str(default)).lower() not in FALSE


def with_defaults(arguments: list[str], defaults: Mapping[str, str]) -> list[str]:
    """The arguments after those defaults that they do not set themselves."""
    given = Flags(arguments)
    return [f"--{flag}={value}" for flag, value in defaults.items() if flag not in given] + arguments


@dataclass(frozen=True)
class Endpoint:
    """An address that Triton will listen on, and the flag that moves it."""

    service: str
    address: str
    port: int
    flag: str

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        with suppress(ValueError):
            return ipaddress.ip_address(self.address).is_loopback
        return self.address == "localhost"


def endpoints(arguments: list[str]) -> list[Endpoint]:
    """Where Triton will listen alone, given its complete command line.

    A service that is switched off, or whose port Triton was told to share, is left out.
    Values that are no port number are left to Triton, which names them.
    """
    flags = Flags(arguments)
    http_address = flags.last("http-address", "0.0.0.0")
    services = [
        ("HTTP", "http", http_address, "8000"),
        ("gRPC", "grpc", flags.last("grpc-address", "0.0.0.0"), "8001"),
        ("metrics", "metrics", flags.last("metrics-address", http_address), "8002"),
    ]
    return [
        Endpoint(service, address, int(port), f"--{name}-port")
        for service, name, address, default in services
        if (port := flags.last(f"{name}-port", default)).isdecimal()
        and flags.allows(f"allow-{name}", default=True)
        and not flags.allows(f"reuse-{name}-port", default=False)
    ]
