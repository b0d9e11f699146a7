"""Avatars from the web, fetched only where somebody says so, and from nowhere they should not be."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from genderclient._avatar import MAX_AVATAR_BYTES
from genderclient._transports.credentials import Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarFetcher:
    """Fetches the bytes of an avatar: `predict(avatar=fetch("https://…"))` with `fetch = AvatarFetcher()`.

    Whoever chooses an avatar's address must not reach through you what only you can: so it takes `https://` alone, at
    most `max_bytes`, within `timeout_s` seconds in all, from public addresses only; each of at most `max_redirects` is
    checked as the first. The name is looked up once, and what was checked is what is connected to. `networks` of your
    own are let through as well, such as "10.1.0.0/16"; `tls` says whom to trust. Raises ValueError for what is none.

    In an event loop: `await asyncio.to_thread(fetch, url)`.
    """

    timeout_s: float = 5.0
    max_bytes: int = MAX_AVATAR_BYTES
    max_redirects: int = 3
    networks: Sequence[str] = ()
    tls: Tls = field(default_factory=Tls)

    def __post_init__(self) -> None:
        from ipaddress import ip_network

        for network in self.networks:
            ip_network(network)

    def __call__(self, url: str) -> bytes:
        """The encoded image. Errors name the host alone: the rest of an address may say who it is about.

        Raises InvalidAvatar for an address that is not allowed or gives no picture, DeadlineExceeded, Unavailable.
        """
        # Loads half of the standard library's networking, which few need.
        from genderclient.fetching.https import fetch

        return fetch(url, self)
