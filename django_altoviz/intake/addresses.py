"""The client's address: the peer's, or the one that a trusted proxy reports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: The entry in ``TRUSTED_PROXIES`` for a proxy on a unix socket, which has no address.
UNIX_SOCKET = "unix"

# Some proxies add the port: 192.0.2.1:8080 and [2001:db8::1]:8080.
_WITH_PORT = re.compile(r"(?P<v4>[^:\[\]]+):\d+|\[(?P<v6>[^\]]+)\](?::\d+)?")


def parse_network(text: str) -> Network:
    """Parse a network. A single address is a network of its own.

    Raises:
        ValueError: the text is neither an address nor a network in CIDR notation.
    """
    return ip_network(text.strip(), strict=False)


def parse_address(text: str) -> Address | None:
    """Parse an address with or without a port, or return ``None``.

    An IPv4 address that is mapped to IPv6 is returned as IPv4.
    """
    text = text.strip()
    if with_port := _WITH_PORT.fullmatch(text):
        text = with_port["v4"] or with_port["v6"]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_in(address: Address | None, networks: Sequence[str]) -> bool:
    """Return True if one of the networks contains the address. No network contains ``None``."""
    return address is not None and any(address in parse_network(text) for text in networks)


def client_address(meta: Mapping[str, str], trusted_proxies: Sequence[str]) -> Address | None:
    """Return the address of the client, or ``None`` if it is not reliably known.

    ``X-Forwarded-For`` is read only if the peer is a trusted proxy, and from right to left. The
    first address that is not a trusted proxy is the client. The client may have forged everything to
    the left of it.
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
