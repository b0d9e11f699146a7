"""Public addresses, by one table of the registries' blocks: their first and last addresses, and their neighbors."""

from ipaddress import ip_address, ip_network

import pytest

from genderclient.fetching.special_purpose import is_public

NOT_PUBLIC = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/29"),
    *("192.0.0.8/32", "192.0.0.170/32", "192.0.0.171/32", "192.0.0.192/32", "192.0.2.0/24", "192.88.99.0/24"),
    *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    # Forms that embed an IPv4 address: compatible, mapped, translated, NAT64 (well-known and local), Teredo, 6to4.
    *("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"),
    *("::/128", "::1/128", "100::/64", "100:0:0:1::/64", "2001:2::/48", "2001:db8::/32", "2001:10::/28", "3fff::/20"),
    *("5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "4000::/3", "200::/7"),
)
PUBLIC = (
    *("1.1.1.1/32", "9.255.255.255/32", "11.0.0.0/32", "100.63.255.255/32", "100.128.0.0/32", "172.15.255.255/32"),
    *("172.32.0.0/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.1.0/24", "192.31.196.0/24", "192.52.193.0/24"),
    *("192.175.48.0/24", "198.17.255.255/32", "198.20.0.0/32", "223.255.255.255/32"),
    *("2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:3::/32", "2001:4:112::/48", "2001:20::/28"),
    *("2001:30::/28", "2001:200::/23", "2003::/18", "2400:3200::1/128", "2606:4700::/32", "2620:4f:8000::/48"),
    *("2000::/16", "3ffe::/16", "3fff:1000::/20"),
)


@pytest.mark.parametrize(
    ("block", "public"), [*((block, False) for block in NOT_PUBLIC), *((block, True) for block in PUBLIC)]
)
def test_first_and_last_address_of_block(block: str, public: bool) -> None:
    network = ip_network(block)
    assert [is_public(ip_address(network[at])) for at in (0, network.num_addresses // 2, -1)] == [public] * 3
