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

from django_altoviz.conf import Account

_SECURITY = "django.middleware.security.SecurityMiddleware"
_COMMON = "django.middleware.common.CommonMiddleware"


def check_redirects() -> Iterator[CheckMessage]:
    """Find out if https is redirected to https, for want of a header that names it."""
    may_redirect = settings.SECURE_SSL_REDIRECT and _SECURITY in settings.MIDDLEWARE
    if may_redirect and not settings.SECURE_PROXY_SSL_HEADER and not _is_exempt():
        yield Warning(
            _("SECURE_SSL_REDIRECT may redirect deliveries, which Altoviz is not known to follow."),
            hint=_(
                "Behind a proxy that ends TLS, set SECURE_PROXY_SSL_HEADER. Otherwise add the path of "
                "the webhook to SECURE_REDIRECT_EXEMPT, or silence this message."
            ),
            id="django_altoviz.W020",
        )


def _is_exempt() -> bool:
    try:
        path = reverse("altoviz:webhook").lstrip("/")
    except NoReverseMatch:
        return True  # another check tells of that
    return any(re.search(pattern, path) for pattern in settings.SECURE_REDIRECT_EXEMPT)


def check_host(account: Account) -> Iterator[CheckMessage]:
    """Find out if the host of the webhook's URL is refused, or redirected to another one."""
    host = urlsplit(account.webhook_url).hostname
    if not host:
        return
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
