"""Keeps other web pages, and other machines, away from the page."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    # The page loads nothing from elsewhere and sends nothing elsewhere.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
SAFE_METHODS: Final = ("GET", "HEAD")


class Guard:
    """Answers requests for this page's own addresses only, and adds the security headers to every response.

    The check of `Host` stops pages of other names that resolve to loopback (DNS rebinding). The check of `Origin` stops
    requests that other pages send through the user's browser.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        """Wrap `app`; `hosts` are its addresses, such as `127.0.0.1:8080`."""
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        app = self._app if self._is_own(scope) else PlainTextResponse("expected this page's own address", 403)
        await app(scope, receive, send_guarded)

    def _is_own(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host not in self._hosts:
            return False
        return scope["method"] in SAFE_METHODS or headers.get("origin") == f"http://{host}"
