"""Webhook URLs: compare them, check that they are public, and that they lead to the app's view."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from django.urls import Resolver404, get_script_prefix, resolve
from django.utils.translation import gettext as _

from django_altoviz.conf import DEFAULT_ACCOUNT
from django_altoviz.intake import addresses

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Domains that resolve in private networks only.
_PRIVATE_DOMAINS = ("localhost", "local", "internal", "lan", "home.arpa")
# No top-level domain is a number, so a host such as 127.1 or 0x7f.0.0.1 is an address.
_NUMERIC_LABEL = re.compile(r"\d+|0x[0-9a-f]*")
# The app's URLs end in webhook/ or webhook/<account>/, below the path where it is included.
_WEBHOOK_PATH = re.compile(r"webhook(/[^/]+)?$")


def normalise(url: str) -> str:
    """Return the URL in a form that is equal for equivalent URLs.

    The case of scheme and host, a default port, a trailing slash and a fragment make no difference.
    """
    split = _split(url)
    if split is None:
        return url.strip()
    query = f"?{split.query}" if split.query else ""
    return f"{split.scheme}://{_netloc(split)}{split.path.rstrip('/')}{query}"


def is_bare_host(url: str) -> bool:
    """Return True if the URL is ``http(s)://host`` or ``http(s)://host:port`` without a path."""
    split = _split(url)
    return (
        split is not None
        and split.scheme in _DEFAULT_PORTS
        and not (split.path.strip("/") or split.query or split.fragment)
    )


def host(url: str) -> str | None:
    """Return the URL's normalised host and port, or ``None`` if it has no host."""
    split = _split(url)
    return _netloc(split) if split else None


def project_root(url: str) -> str | None:
    """Return the host and the path under which a project includes the app.

    Equal for all accounts of the project, and for http and https. ``None`` if the URL can't be one
    of the app's.
    """
    split = _split(url)
    path = split.path.rstrip("/") if split else ""
    if split is None or not (webhook_path := _WEBHOOK_PATH.search(path)):
        return None
    return _netloc(split) + path[: webhook_path.start()]


def _split(url: str) -> SplitResult | None:
    try:
        split = urlsplit(url.strip())
        return split if split.hostname and split.port != 0 else None
    except ValueError:  # an invalid port or IPv6 address
        return None


def _netloc(split: SplitResult) -> str:
    """Return the normalised host and port, after the user and ``@`` if there is a user."""
    user, at, _rest = split.netloc.rpartition("@")
    host = (split.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    is_default = split.port in (None, _DEFAULT_PORTS.get(split.scheme))
    return user + at + host + ("" if is_default else f":{split.port}")


def why_not_public(url: str) -> str | None:
    """Return why Altoviz can't or should not deliver to the URL, or ``None`` if it can.

    Judges the text of the URL only, without a DNS lookup.
    """
    split = _split(url)
    if split is None or split.scheme not in _DEFAULT_PORTS:
        return _("it is not a URL like https://host/path")
    host = (split.hostname or "").rstrip(".")
    if reason := _why_host_is_not_public(host):
        return reason
    if split.scheme != "https":
        return _("it is not https, so invoices would cross the network unencrypted")
    return None


def _why_host_is_not_public(host: str) -> str | None:
    if address := addresses.parse_address(host):
        if address.is_global and not address.is_multicast:
            return None
        return _("%(host)s is a private or reserved address") % {"host": host}
    if any(host == domain or host.endswith(f".{domain}") for domain in _PRIVATE_DOMAINS):
        return _("%(host)s is a private network name") % {"host": host}
    if "." not in host or _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        return _("%(host)s is not a fully qualified domain name") % {"host": host}
    return None


def leads_to_webhook(url: str, account: str) -> bool:
    """Return True if the path of ``url`` resolves to the webhook view of that account."""
    # Resolve the path below the script prefix: the URLconf does not include FORCE_SCRIPT_NAME.
    prefix = get_script_prefix()
    try:
        before, _prefix, path = urlsplit(url).path.partition(prefix)
        match = resolve(f"/{path}")
    except (Resolver404, ValueError):
        return False
    view = getattr(match.func, "view_class", None)
    is_webhook = not before and getattr(view, "receives_altoviz", False)
    return is_webhook and match.kwargs.get("account", DEFAULT_ACCOUNT) == account


def is_private_url(url: str) -> bool:
    """Return True if the URL is https, or leads to this machine, and has no password in it."""
    try:
        split = urlsplit(url)
    except ValueError:
        return False
    is_loopback = split.hostname in ("localhost", "127.0.0.1", "::1")
    return split.password is None and (split.scheme == "https" or is_loopback)
