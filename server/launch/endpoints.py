"""The addresses on which Triton listens."""

import errno
import ipaddress
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from server.errors import LaunchError
from server.launch.flags import Flags


@dataclass(frozen=True)
class Endpoint:
    """An address of a service, and the flag that changes its port."""

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

    def check_free(self) -> None:
        """Reject a port in use. Triton would notice it only after loading all models.

        Raises:
            LaunchError: Another process listens there, or there is no such port.
        """
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As Triton does: lingering connections of a stopped server do not occupy the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.address, self.port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise LaunchError(
                        f"{self.service} port {self.port} on {self.address} is in use; "
                        f"stop the process that listens there or pass {self.flag}=<free port>"
                    ) from None
            except OverflowError:
                raise LaunchError(f"{self.flag}: expected a port up to 65535, got {self.port}") from None


def triton_endpoints(arguments: Iterable[str]) -> list[Endpoint]:
    """Return the endpoints that a complete Triton command line opens.

    Disabled services and shared ports (`--reuse-*-port`) are left out. So are ports that are not numbers: Triton
    rejects them itself.
    """
    flags = Flags(arguments)
    http_address = flags.last("http-address", "0.0.0.0")
    services = [
        ("HTTP", http_address, "8000"),
        ("gRPC", flags.last("grpc-address", "0.0.0.0"), "8001"),
        ("metrics", flags.last("metrics-address", http_address), "8002"),
    ]
    return [
        Endpoint(service, address, int(port), f"--{name}-port")
        for service, address, default in services
        if (port := flags.last(f"{(name := service.lower())}-port", default)).isdecimal()
        and flags.allows(f"allow-{name}", default=True)
        and not flags.allows(f"reuse-{name}-port", default=False)
    ]
