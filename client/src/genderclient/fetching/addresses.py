"""Which URLs and IP addresses may be fetched."""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from genderclient._exceptions import InvalidAvatar

# IPv6 prefixes that embed an arbitrary IPv4 address.
_TUNNELS: Final = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "2001::/32")))


def parse_url(url: str) -> SplitResult:
    """Parses an https URL without credentials. Raises InvalidAvatar for any other."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname and parts.username is None and parts.port != 0:
            return parts
    except ValueError as exc:
        raise InvalidAvatar("avatar: not a URL; write it like https://host/picture.jpg") from exc
    raise InvalidAvatar("avatar: expected a URL like https://host/picture.jpg, without a user name")


def request_path(url: SplitResult) -> str:
    """Returns path and query with all special characters quoted."""
    path = quote(url.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(url.query, safe='/?%:@!$&()*+,;=~-._')}" if url.query else path


def resolve(host: str, port: int, networks: Sequence[str]) -> str:
    """Returns an IP address of the host, if all of its addresses are public or in `networks`."""
    addresses = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not all(_is_allowed(address, networks) for address in addresses):
        raise InvalidAvatar(f"avatar: {host} does not resolve to a public address; add its network to `networks`")
    return addresses[0]


def _is_allowed(text: str, networks: Sequence[str]) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if any(address in ipaddress.ip_network(network) for network in networks):
        return True
    return address.is_global and not address.is_multicast and not any(address in tunnel for tunnel in _TUNNELS)
