"""Ways to a server; which one is used is the URL's business.

tritonclient is imported only when something is opened: that takes 0.3 s.
"""

from genderclient._transports.base import AsyncTransport, Transport
from genderclient._transports.credentials import Access
from genderclient._transports.options import ConnectionOptions
from genderclient._transports.url import ServerUrl


def open_transport(url: ServerUrl, access: Access, options: ConnectionOptions) -> Transport:
    """The transport that speaks the URL's protocol."""
    if url.scheme in ("grpc", "grpcs"):
        from genderclient._transports.grpc import GrpcTransport

        return GrpcTransport(url, access, options)
    from genderclient._transports.http import HttpTransport

    return HttpTransport(url, access, options)


def open_async_transport(url: ServerUrl, access: Access, options: ConnectionOptions) -> AsyncTransport:
    """The same for an event loop, inside which it has to be called."""
    if url.scheme in ("grpc", "grpcs"):
        from genderclient._transports.grpc_aio import AsyncGrpcTransport

        return AsyncGrpcTransport(url, access, options)
    from genderclient._transports.http_aio import AsyncHttpTransport

    return AsyncHttpTransport(url, access, options)
