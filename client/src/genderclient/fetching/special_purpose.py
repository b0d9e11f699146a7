"""Which IP addresses are public, by IANA's registries. `is_global` of the standard library differs by Python release.

Sources:
    https://www.iana.org/assignments/iana-ipv4-special-registry
    https://www.iana.org/assignments/iana-ipv6-special-registry (October 2025)
    https://www.iana.org/assignments/ipv6-address-space
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

# The blocks that the registry does not call globally reachable, then what it calls so inside them.
_IPV4: Final = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private use
    "100.64.0.0/10",  # shared address space
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link local
    "172.16.0.0/12",  # private use
    "192.0.0.0/24",  # IETF protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private use
    "198.18.0.0/15",  # benchmarking
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
)
_IPV4_REACHABLE: Final = ("192.0.0.9/32", "192.0.0.10/32")

# Outside this block there are no global unicast addresses: loopback, private use, link and site local, multicast, and
# the forms that embed an IPv4 address (mapped, compatible, translated, NAT64).
_IPV6_UNICAST: Final = IPv6Network("2000::/3")
_IPV6: Final = (
    "2001::/23",  # IETF protocol assignments, such as Teredo, which embeds an IPv4 address
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4, which embeds an IPv4 address
    "3fff::/20",  # documentation
)
_IPV6_REACHABLE: Final = (
    *("2001:1::1/128", "2001:1::2/128", "2001:1::3/128"),
    *("2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:30::/28"),
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is unicast, globally reachable, and embeds no other address."""
    if isinstance(address, IPv4Address):
        return _in_any(address, _IPV4_REACHABLE) or not _in_any(address, _IPV4)
    return address in _IPV6_UNICAST and (_in_any(address, _IPV6_REACHABLE) or not _in_any(address, _IPV6))


def _in_any(address: IPv4Address | IPv6Address, networks: tuple[str, ...]) -> bool:
    network = IPv4Network if isinstance(address, IPv4Address) else IPv6Network
    return any(address in network(each) for each in networks)
