"""What an `AvatarFetcher` does on the network."""

import http.client
import ipaddress
import socket
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from genderclient._exceptions import DeadlineExceeded, InvalidAvatar, Unavailable
from genderclient._transports.connection import AnswerTooLong, Connection, Deadline, Reply
from genderclient.fetching.fetcher import AvatarFetcher

_REDIRECTS: Final = (301, 302, 303, 307, 308)
# Addresses of IPv6 that stand for one of IPv4, which may be anybody's.
_TUNNELS: Final = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "2001::/32")))


def fetch(url: str, rules: AvatarFetcher) -> bytes:
    """As `AvatarFetcher` says."""
    deadline = Deadline.after(rules.timeout_s)
    for _ in range(rules.max_redirects + 1):
        target = _checked(url)
        reply = _ask(target, deadline, rules)
        if reply.code == 200:
            return reply.body
        if reply.code not in _REDIRECTS or not (location := reply.headers.get("Location")):
            raise InvalidAvatar(f"avatar: {target.hostname} answered {reply.code}; check the address")
        url = urljoin(url, location)
    raise InvalidAvatar(f"avatar: {target.hostname} redirects more than {rules.max_redirects} times")


def _ask(target: SplitResult, deadline: Deadline, rules: AvatarFetcher) -> Reply:
    host, port = target.hostname or "", target.port or 443
    try:
        address = _address(host, port, rules.networks)
        connection = Connection(host, port, rules.tls.context(), max_bytes=rules.max_bytes, address=address)
        try:
            return connection.ask("GET", _path(target), deadline, headers={"Accept": "image/*"})
        finally:
            connection.close()
    except TimeoutError as exc:
        raise DeadlineExceeded(f"avatar: {host} sent no picture within {rules.timeout_s:g} s") from exc
    except AnswerTooLong as exc:
        raise InvalidAvatar(f"avatar: {host} sends over the limit of {rules.max_bytes} bytes") from exc
    except (OSError, http.client.HTTPException, UnicodeError) as exc:
        raise Unavailable(f"avatar: {host} cannot be reached: {type(exc).__name__}; check the address") from exc


def _address(host: str, port: int, networks: Sequence[str]) -> str:
    """Where the host is. Raises InvalidAvatar if any of its addresses is not allowed."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not all(_is_allowed(address, networks) for address in found):
        raise InvalidAvatar(f"avatar: {host} is at no public address; name its network if it is yours")
    return found[0]


def _is_allowed(text: str, networks: Sequence[str]) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if any(address in ipaddress.ip_network(network) for network in networks):
        return True
    return address.is_global and not address.is_multicast and not any(address in tunnel for tunnel in _TUNNELS)


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname and parts.username is None and parts.port != 0:
            return parts
    except ValueError as exc:
        raise InvalidAvatar("avatar: no web address; write it like https://host/picture.jpg") from exc
    raise InvalidAvatar("avatar: expected an address like https://host/picture.jpg, without a user's name in it")


def _path(target: SplitResult) -> str:
    path = quote(target.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(target.query, safe='/?%:@!$&()*+,;=~-._')}" if target.query else path
