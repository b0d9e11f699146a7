"""Ways to a server; which one is used is the URL's business."""

from genderclient._config import ServerUrl
from genderclient._transports.base import Transport


def open_transport(url: ServerUrl) -> Transport:
    """The transport that speaks the URL's protocol. Only here is tritonclient imported: that takes 0.3 s."""
    if url.scheme == "grpc":
        from genderclient._transports.grpc import GrpcTransport

        return GrpcTransport(url)
    from genderclient._transports.http import HttpTransport

    return HttpTransport(url)
