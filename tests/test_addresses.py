from __future__ import annotations

import io
from ipaddress import ip_address

import pytest
from django.core.handlers.asgi import ASGIRequest
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.intake.addresses import client_address, is_in, parse_address, parse_network

PROXIES = ["10.0.0.0/8", "192.0.2.7"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("20.23.10.180", "20.23.10.180"),
        (" 20.23.10.180 ", "20.23.10.180"),
        ("20.23.10.180:51234", "20.23.10.180"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:20.23.10.180", "20.23.10.180"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_parses_addresses_as_servers_and_proxies_write_them(text, address):
    assert parse_address(text) == ip_address(address)


@pytest.mark.parametrize(
    "text", ["", "unknown", "1.2.3", "1.2.3.4.5", "_hidden", "unix:", "1.2.3.4:"]
)
def test_an_invalid_address_is_none(text):
    assert parse_address(text) is None


def test_without_a_trusted_proxy_the_header_is_ignored():
    meta = {"REMOTE_ADDR": "203.0.113.9", "HTTP_X_FORWARDED_FOR": "20.23.10.180"}
    assert client_address(meta, []) == ip_address("203.0.113.9")
    assert client_address(meta, PROXIES) == ip_address("203.0.113.9")


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        ("20.23.10.180", "20.23.10.180"),
        ("6.6.6.6, 20.23.10.180", "20.23.10.180"),
        ("6.6.6.6, 20.23.10.180, 10.1.1.1", "20.23.10.180"),
        ("20.23.10.180:4711, 192.0.2.7", "20.23.10.180"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("", "10.9.9.9"),
    ],
)
def test_behind_a_proxy_the_last_untrusted_hop_is_the_client(hops, client):
    meta = {"REMOTE_ADDR": "10.9.9.9", "HTTP_X_FORWARDED_FOR": hops}
    assert client_address(meta, PROXIES) == ip_address(client)


@pytest.mark.parametrize("name", [b"x_forwarded_for", b"x-forwarded_for", b"x_forwarded-for"])
def test_an_underscored_header_is_not_taken_for_the_proxys(name):
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/altoviz/webhook/",
        "client": ["10.9.9.9", 1],
        "headers": [(b"x-forwarded-for", b"203.0.113.9"), (name, b"20.23.10.180")],
    }
    meta = ASGIRequest(scope, io.BytesIO()).META
    assert client_address(meta, PROXIES) == ip_address("203.0.113.9")


def test_with_an_unreadable_hop_the_client_is_unknown():
    meta = {"REMOTE_ADDR": "10.9.9.9", "HTTP_X_FORWARDED_FOR": "20.23.10.180, rubbish"}
    assert client_address(meta, PROXIES) is None


def test_a_proxy_on_a_unix_socket_must_be_named():
    meta = {"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": "20.23.10.180"}
    assert client_address(meta, PROXIES) is None
    assert client_address(meta, ["unix"]) == ip_address("20.23.10.180")


def test_a_peer_with_an_address_is_not_taken_for_a_proxy_on_a_unix_socket():
    meta = {"REMOTE_ADDR": "203.0.113.9", "HTTP_X_FORWARDED_FOR": "20.23.10.180"}
    assert client_address(meta, ["unix"]) == ip_address("203.0.113.9")


def test_an_address_is_in_a_network():
    address = ip_address("20.23.10.181")
    assert is_in(address, ["20.23.10.180", "20.23.10.181"])
    assert is_in(address, [" 20.23.10.0/24 "])  # as in a list of environment variables
    assert is_in(address, ["20.23.10.1/24"])  # host bits set, as people write it
    assert not is_in(address, ["20.23.11.0/24", "2001:db8::/32"])
    assert not is_in(None, ["0.0.0.0/0", "::/0"])
    with pytest.raises(ValueError, match="rubbish"):
        parse_network("rubbish")


@given(st.text(), st.text())
def test_no_header_raises_an_error(peer, hops):
    client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": hops}, ["0.0.0.0/0", "unix"])
