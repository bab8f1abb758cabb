"""Where a request comes from: the peer's address, or the one that a trusted proxy vouches for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: What stands in ``TRUSTED_PROXIES`` for a proxy that connects by a unix socket (no address at all).
UNIX_SOCKET = "unix"

# 192.0.2.1:8080 and [2001:db8::1]:8080, as some proxies write them.
_WITH_PORT = re.compile(r"(?P<v4>[^:\[\]]+):\d+|\[(?P<v6>[^\]]+)\](?::\d+)?")


def parse_network(text: str) -> Network:
    """The network that ``text`` names, one address being a network of its own.

    Raises:
        ValueError: it is neither an address nor a network in CIDR notation.
    """
    return ip_network(text.strip(), strict=False)


def parse_address(text: str) -> Address | None:
    """The address in ``text``, with or without a port, or ``None``. Mapped IPv4 is IPv4."""
    text = text.strip()
    if with_port := _WITH_PORT.fullmatch(text):
        text = with_port["v4"] or with_port["v6"]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_in(address: Address | None, networks: Sequence[str]) -> bool:
    """Whether one of the networks holds the address. An unknown address is in none of them."""
    return address is not None and any(address in parse_network(text) for text in networks)


def client_address(meta: Mapping[str, str], trusted_proxies: Sequence[str]) -> Address | None:
    """The address a request came from, or ``None`` where nothing trustworthy tells.

    ``X-Forwarded-For`` is read only when the peer is a trusted proxy, and from the right: what
    stands left of the first address that is not a trusted proxy, anybody may have written.
    """
    peer = meta.get("REMOTE_ADDR", "")
    address = parse_address(peer)
    by_socket = not peer and UNIX_SOCKET in trusted_proxies
    proxies = [text for text in trusted_proxies if text != UNIX_SOCKET]
    if not by_socket and not is_in(address, proxies):
        return address
    hops = meta.get("HTTP_X_FORWARDED_FOR", "")
    for hop in reversed(hops.split(",") if hops else []):
        address = parse_address(hop)
        if not is_in(address, proxies):
            break
    return address
