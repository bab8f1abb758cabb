"""Where a webhook is: which URLs are the same, which are public, and which lead to the app's view."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from django.urls import Resolver404, get_script_prefix, resolve
from django.utils.translation import gettext as _

from django_altoviz.conf import DEFAULT_ACCOUNT
from django_altoviz.intake import addresses

_PORTS = {"http": 80, "https": 443}
# Names that mean something in a private network only.
_PRIVATE_DOMAINS = ("localhost", "local", "internal", "lan", "home.arpa")
# 127.1, 0x7f.0.0.1: no domain ends in a number, so what does is an address in some notation.
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
# The app's paths end in webhook/ or webhook/<account>/; what is before is where it is included.
_ROUTE = re.compile(r"webhook(/[^/]+)?$")


def normalised(url: str) -> str:
    """The URL in one spelling: case of scheme and host, default port and last slash do not count."""
    split = _split(url)
    if split is None:
        return url.strip()
    query = f"?{split.query}" if split.query else ""
    return f"{split.scheme}://{_host(split)}{split.path.rstrip('/')}{query}"


def is_host(url: str) -> bool:
    """Whether it is ``http://host`` or ``https://host``, with a port or without, and no more."""
    split = _split(url)
    return (
        split is not None
        and split.scheme in _PORTS
        and not (split.path.strip("/") or split.query or split.fragment)
    )


def host(url: str) -> str | None:
    """Host and port in one spelling, or ``None`` where there is none."""
    split = _split(url)
    return _host(split) if split else None


def place(url: str) -> str | None:
    """The host and the path under which a project has the app, whatever the account and scheme.

    ``None`` for a URL that cannot be one of the app's.
    """
    split = _split(url)
    path = split.path.rstrip("/") if split else ""
    if split is None or not (route := _ROUTE.search(path)):
        return None
    return _host(split) + path[: route.start()]


def _split(url: str) -> SplitResult | None:
    try:
        split = urlsplit(url.strip())
        return split if split.hostname and split.port != 0 else None
    except ValueError:  # a port or an IPv6 address that is none
        return None


def _host(split: SplitResult) -> str:
    """Host and port, with what stands before an ``@``."""
    user, at, _rest = split.netloc.rpartition("@")
    host = (split.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    is_default = split.port in (None, _PORTS.get(split.scheme))
    return user + at + host + ("" if is_default else f":{split.port}")


def why_not_public(url: str) -> str | None:
    """Why Altoviz can't or should not deliver to the URL, or ``None`` if it can.

    Nothing is looked up: what the URL says is all that is judged.
    """
    split = _split(url)
    if split is None or split.scheme not in _PORTS:
        return _("it is no URL of the form https://host/path")
    host = (split.hostname or "").rstrip(".")
    if reason := _why_not_public_host(host):
        return reason
    if split.scheme != "https":
        return _("it is not https, so that invoices would cross the network in clear")
    return None


def _why_not_public_host(host: str) -> str | None:
    if address := addresses.parse_address(host):
        if address.is_global and not address.is_multicast:
            return None
        return _("%(host)s is a private or reserved address") % {"host": host}
    if any(host == domain or host.endswith(f".{domain}") for domain in _PRIVATE_DOMAINS):
        return _("%(host)s is a name of a private network") % {"host": host}
    if "." not in host or _NUMBER.fullmatch(host.rpartition(".")[2]):
        return _("%(host)s is no complete domain name") % {"host": host}
    return None


def leads_to_webhook(url: str, account: str) -> bool:
    """Whether the project's URLs lead from its path to the webhook of that account."""
    # What the project is deployed under (FORCE_SCRIPT_NAME) is no part of its own URLs.
    prefix = get_script_prefix()
    try:
        before, _prefix, path = urlsplit(url).path.partition(prefix)
        match = resolve(f"/{path}")
    except (Resolver404, ValueError):
        return False
    view = getattr(match.func, "view_class", None)
    is_webhook = not before and getattr(view, "receives_altoviz", False)
    return is_webhook and match.kwargs.get("account", DEFAULT_ACCOUNT) == account
