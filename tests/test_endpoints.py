from __future__ import annotations

import pytest
from django.urls import get_script_prefix, reverse, set_script_prefix
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz.registration.endpoints import (
    leads_to_webhook,
    normalise,
    project_root,
    why_not_public,
)

URL = "https://shop.example/altoviz/webhook/"


@pytest.mark.parametrize(
    "same",
    [
        "https://shop.example/altoviz/webhook",
        "HTTPS://Shop.Example/altoviz/webhook/",
        "https://shop.example:443/altoviz/webhook/",
        "https://shop.example./altoviz/webhook/#there",
        " https://shop.example/altoviz/webhook/\n",
    ],
)
def test_equivalent_urls_are_normalised_alike(same):
    assert normalise(same) == normalise(URL)
    assert project_root(same) == project_root(URL) == "shop.example/altoviz/"


@pytest.mark.parametrize(
    "other",
    [
        "http://shop.example/altoviz/webhook/",
        "https://shop.example:8443/altoviz/webhook/",
        "https://shop.example/Altoviz/webhook/",
        "https://shop.example/altoviz/webhook/acme/",
        "https://shop.example/altoviz/webhook/?a=1",
        "https://me@shop.example/altoviz/webhook/",
        "https://[2001:db8::1]/altoviz/webhook/",
        "https://[2001:db8::1/altoviz/webhook/",
        "https://shop.example:port/altoviz/webhook/",
        "",
    ],
)
def test_different_urls_stay_different(other):
    assert normalise(other) != normalise(URL)


def test_ports_and_addresses_are_kept():
    assert normalise("http://[2001:DB8::1]:8000/a/") == "http://[2001:db8::1]:8000/a"
    assert normalise("http://a.example:80/?b=/") == "http://a.example?b=/"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example/altoviz/webhook/acme/", "shop.example/altoviz/"),
        ("http://shop.example/webhook", "shop.example/"),
        ("https://shop.example/other/webhook/", "shop.example/other/"),
        ("https://shop.example/altoviz/hook/", None),
        ("https://shop.example/", None),
        ("no url", None),
    ],
)
def test_the_root_of_a_project(url, expected):
    assert project_root(url) == expected


@given(st.text())
def test_any_text_is_accepted(text):
    assert isinstance(normalise(text), str)
    project_root(text)
    why_not_public(text)
    leads_to_webhook(text, "default")


@pytest.mark.parametrize(
    "url", [URL, "https://20.23.10.180/altoviz/webhook/", "https://shop.example:8443/"]
)
def test_a_public_url_has_no_reason(url):
    assert why_not_public(url) is None


NO_URL = "it is not a URL like https://host/path"
RESERVED = "{} is a private or reserved address"
PRIVATE = "{} is a private network name"
INCOMPLETE = "{} is not a fully qualified domain name"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("shop.example/altoviz/webhook/", NO_URL),
        ("ftp://shop.example/", NO_URL),
        ("https:///altoviz/webhook/", NO_URL),
        (
            "http://shop.example/",
            "it is not https, so invoices would cross the network unencrypted",
        ),
        ("https://localhost/", PRIVATE.format("localhost")),
        ("http://shop.localhost:8000/", PRIVATE.format("shop.localhost")),
        ("https://nas.local./", PRIVATE.format("nas.local")),
        ("https://127.0.0.1/", RESERVED.format("127.0.0.1")),
        ("https://10.1.2.3:8443/", RESERVED.format("10.1.2.3")),
        ("https://192.0.2.1/", RESERVED.format("192.0.2.1")),
        ("https://224.0.0.1/", RESERVED.format("224.0.0.1")),
        ("https://[::1]/", RESERVED.format("::1")),
        ("https://[::ffff:10.0.0.1]/", RESERVED.format("::ffff:10.0.0.1")),
        ("https://shop/", INCOMPLETE.format("shop")),
        ("https://127.1/", INCOMPLETE.format("127.1")),
        ("https://2130706433/", INCOMPLETE.format("2130706433")),
        ("https://0x7f.0x1/", INCOMPLETE.format("0x7f.0x1")),
    ],
)
def test_why_a_url_is_not_public(url, reason):
    assert why_not_public(url) == reason


def test_a_url_leads_to_the_webhook_of_its_account_only(settings):
    acme = "https://shop.example/altoviz/webhook/acme"
    assert leads_to_webhook(URL, "default")
    assert leads_to_webhook(acme, "acme")
    assert not leads_to_webhook(acme, "default")
    assert not leads_to_webhook(URL, "acme")
    assert not leads_to_webhook("https://shop.example/admin/", "default")
    assert not leads_to_webhook("https://shop.example/nowhere/", "default")
    assert not leads_to_webhook("https://[shop.example/altoviz/webhook/", "default")
    settings.ROOT_URLCONF = "tests.urls_without"
    assert not leads_to_webhook(URL, "default")


def test_urls_are_resolved_below_the_script_prefix():
    former = get_script_prefix()
    set_script_prefix("/shop/")
    try:
        path = reverse("altoviz:webhook")
        assert path == "/shop/altoviz/webhook/"
        assert leads_to_webhook(f"https://a.example{path}", "default")
        assert not leads_to_webhook(URL, "default")
        assert not leads_to_webhook(f"https://a.example/other{path}", "default")
    finally:
        set_script_prefix(former)
