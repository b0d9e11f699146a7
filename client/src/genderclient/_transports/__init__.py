"""Transports: one per protocol and world.

gRPC and aiohttp take 0.3 s to import, so they are imported when a transport is opened.
"""

from genderclient._config.connection_options import ConnectionOptions
from genderclient._transports.base import AsyncTransport, Transport
from genderclient._transports.credentials import Credentials
from genderclient._transports.url import ServerUrl


def open_transport(url: ServerUrl, credentials: Credentials, options: ConnectionOptions) -> Transport:
    """Opens the transport for the URL's protocol."""
    if url.is_grpc:
        from genderclient._transports.grpc import GrpcTransport

        return GrpcTransport(url, credentials, options)
    from genderclient._transports.http import HttpTransport

    return HttpTransport(url, credentials, options)


def open_async_transport(url: ServerUrl, credentials: Credentials, options: ConnectionOptions) -> AsyncTransport:
    """Opens the async transport for the URL's protocol. Call it inside the event loop."""
    if url.is_grpc:
        from genderclient._transports.grpc_aio import AsyncGrpcTransport

        return AsyncGrpcTransport(url, credentials, options)
    from genderclient._transports.http_aio import AsyncHttpTransport

    return AsyncHttpTransport(url, credentials, options)
