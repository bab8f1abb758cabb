"""Checks of the project's own settings: what would answer a delivery before the webhook does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.http.request import validate_host
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from django_altoviz.conf import DEFAULT_ACCOUNT, Account, used_account_names

_SECURITY = "django.middleware.security.SecurityMiddleware"
_COMMON = "django.middleware.common.CommonMiddleware"


def check_redirects() -> Iterator[CheckMessage]:
    """Warn if Django may redirect deliveries because it cannot see that they came by https."""
    may_redirect = settings.SECURE_SSL_REDIRECT and _SECURITY in settings.MIDDLEWARE
    is_exempt = all(map(_is_exempt, used_account_names()))
    if may_redirect and not settings.SECURE_PROXY_SSL_HEADER and not is_exempt:
        yield Warning(
            _("SECURE_SSL_REDIRECT may redirect deliveries, which Altoviz is not known to follow."),
            hint=_(
                "Behind a proxy that ends TLS, set SECURE_PROXY_SSL_HEADER. Otherwise add the path of "
                "the webhook to SECURE_REDIRECT_EXEMPT, or silence this message."
            ),
            id="django_altoviz.W020",
        )


def _is_exempt(account: str) -> bool:
    kwargs = {} if account == DEFAULT_ACCOUNT else {"account": account}
    try:
        path = reverse("altoviz:webhook", kwargs=kwargs).lstrip("/")
    except NoReverseMatch:
        return True  # another check tells of that
    return any(re.search(pattern, path) for pattern in settings.SECURE_REDIRECT_EXEMPT)


def check_host(account: Account) -> Iterator[CheckMessage]:
    """Find out if the host of the webhook's URL is refused, or redirected to another one."""
    host = _host_of(account.webhook_url)
    if not host:
        return  # another check tells of that
    about = {"name": account.name, "host": host}
    if not settings.DEBUG and not validate_host(host, settings.ALLOWED_HOSTS):
        yield Warning(
            _("Account “%(name)s”: ALLOWED_HOSTS lacks the host of WEBHOOK_URL: %(host)s") % about,
            hint=_(
                "Add it. Until then, Django answers each delivery with 400, and nothing is stored."
            ),
            id="django_altoviz.W021",
        )
    redirects = settings.PREPEND_WWW and _COMMON in settings.MIDDLEWARE
    if redirects and not host.startswith("www."):
        yield Warning(
            _("Account “%(name)s”: PREPEND_WWW redirects deliveries for %(host)s.") % about,
            hint=_("Begin the host in WEBHOOK_URL with www, and register the webhook again."),
            id="django_altoviz.W022",
        )


def _host_of(url: str) -> str:
    """Return the host as Django compares it with ``ALLOWED_HOSTS``, or nothing if there is none."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
    return f"[{host}]" if ":" in host else host
