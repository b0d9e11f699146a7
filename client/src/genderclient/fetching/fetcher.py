"""Fetches avatars from the web, and only from where it is allowed."""

import http.client
import ipaddress
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from ssl import SSLContext
from typing import Final
from urllib.parse import SplitResult, quote, urljoin

from genderclient._avatar import MAX_AVATAR_BYTES
from genderclient._config.checks import check_integer, check_type, checked_timeout
from genderclient._exceptions import DeadlineExceeded, InvalidAvatar, Unavailable
from genderclient._transports.connection import Connection, Deadline, HttpResponse, ResponseTooLarge
from genderclient._transports.credentials import Tls
from genderclient.fetching.addresses import parse_url, request_path, resolve

_REDIRECTS: Final = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarFetcher:
    """Fetches the bytes of an avatar: `predict(avatar=fetch("https://…"))` with `fetch = AvatarFetcher()`.

    A user who chooses the URL of an avatar must not reach your internal services through you. Therefore only `https://`
    and public addresses are allowed. The name is resolved once, and the connection goes to the address that was
    checked. Each redirect is checked like the first URL.

    In an event loop: `await asyncio.to_thread(fetch, url)`.

    Args:
        timeout_s: Seconds for everything, redirects included.
        max_bytes: The largest picture.
        max_redirects: The most redirects that are followed.
        networks: Networks that are allowed besides public addresses, such as "10.1.0.0/16".
        tls: Certificate authorities to trust.
    """

    timeout_s: float = 5.0
    max_bytes: int = MAX_AVATAR_BYTES
    max_redirects: int = 3
    networks: Sequence[str] = ()
    tls: Tls = field(default_factory=Tls)

    def __post_init__(self) -> None:
        checked_timeout(self.timeout_s)
        check_integer("max_bytes", self.max_bytes, "a number of bytes")
        check_integer("max_redirects", self.max_redirects, "a number")
        check_type("tls", self.tls, Tls, "Tls")
        check_type("networks", self.networks, (list, tuple), "a list of networks")
        for network in self.networks:
            ipaddress.ip_network(network)

    def __call__(self, url: str) -> bytes:
        """Returns the encoded image. Errors name only the host: the rest of a URL may identify a person.

        Raises:
            InvalidAvatar: If the URL is not allowed or gives no picture.
            DeadlineExceeded: If there is no picture in time.
            Unavailable: If the host cannot be reached.
        """
        deadline = Deadline.after(self.timeout_s)
        for _ in range(self.max_redirects + 1):
            target = parse_url(url)
            response = self._get(target, deadline)
            if response.code == 200:
                return response.body
            if response.code not in _REDIRECTS or not (location := response.headers.get("Location")):
                raise InvalidAvatar(f"avatar: {target.hostname} responded with {response.code}; check the URL")
            try:
                # http.client decodes headers as Latin-1, but servers send UTF-8.
                url = urljoin(url, quote(location.encode("latin-1"), safe=string.punctuation))
            except ValueError:
                raise InvalidAvatar(f"avatar: {target.hostname} redirects to an invalid URL") from None
        raise InvalidAvatar(f"avatar: {target.hostname} redirects more than {self.max_redirects} times")

    def _get(self, target: SplitResult, deadline: Deadline) -> HttpResponse:
        host, port = target.hostname or "", target.port or 443
        try:
            address = resolve(host, port, self.networks, deadline)
            connection = Connection(host, port, _context(self.tls), max_bytes=self.max_bytes, address=address)
            try:
                return connection.exchange("GET", request_path(target), deadline, headers={"Accept": "image/*"})
            finally:
                connection.close()
        except TimeoutError as exc:
            raise DeadlineExceeded(f"avatar: {host} sent no picture within {self.timeout_s:g} s") from exc
        except ResponseTooLarge as exc:
            raise InvalidAvatar(f"avatar: {host} sends over the limit of {self.max_bytes} bytes") from exc
        except (OSError, http.client.HTTPException) as exc:
            raise Unavailable(f"avatar: {host} cannot be reached: {type(exc).__name__}; check the URL") from exc


@cache
def _context(tls: Tls) -> SSLContext:
    """Reads the authorities once: that takes as long as a fetch."""
    return tls.context()
