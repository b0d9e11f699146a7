"""Which URLs and IP addresses may be fetched."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import SplitResult, quote, urlsplit

from genderclient._config.checks import check_type
from genderclient._exceptions import InvalidAvatar
from genderclient._transports.connection import Deadline
from genderclient._transports.lookup import look_up_within
from genderclient.fetching.special_purpose import is_public


def parse_url(url: str) -> SplitResult:
    """Parses an https URL without credentials. Raises InvalidAvatar for any other."""
    check_type("url", url, str, "the URL of an avatar")
    try:
        # Lone surrogates cannot be sent.
        url.encode()
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname and parts.username is None and parts.port != 0:
            return parts
    except ValueError:
        raise InvalidAvatar("avatar: not a URL; write it like https://host/picture.jpg") from None
    raise InvalidAvatar("avatar: expected a URL like https://host/picture.jpg, without a user name")


def request_path(url: SplitResult) -> str:
    """Returns path and query with all special characters quoted."""
    path = quote(url.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(url.query, safe='/?%:@!$&()*+,;=~-._')}" if url.query else path


def resolve(host: str, port: int, networks: Sequence[str], deadline: Deadline) -> str:
    """Returns an IP address of the host, if all of its addresses are public or in `networks`."""
    addresses = [str(entry[4][0]) for entry in look_up_within(deadline.remaining_s(), host, port)]
    if not all(_is_allowed(address, networks) for address in addresses):
        raise InvalidAvatar(f"avatar: {host} does not resolve to a public address; add its network to `networks`")
    return addresses[0]


def _is_allowed(text: str, networks: Sequence[str]) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    return is_public(address) or any(address in ipaddress.ip_network(network) for network in networks)
