"""The settings: the system checks of this app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from django.core.checks import ERROR, CheckMessage
from django.utils.translation import gettext as _

from django_altoviz import checks
from django_altoviz.conf import app_settings
from django_altoviz.doctor.findings import Finding, Visit, doubtful, failing, findings_of, well


def examine_settings(visit: Visit) -> Iterator[Finding]:
    yield from findings_of_checks([checks.check_settings], [checks.check_security])
    yield from findings_of("proxy", _examine_proxy, visit)


def findings_of_checks(
    always: Iterable[Callable[[], Iterable[CheckMessage]]],
    deploy: Iterable[Callable[[], Iterable[CheckMessage]]] = (),
) -> Iterator[Finding]:
    """Yield what these system checks say. Those for production only warn.

    The name of a finding is the id of the check, which can be looked up in the documentation.
    """
    told: set[str] = set()
    for is_strict, functions in ((True, always), (False, deploy)):
        for message in (message for function in functions for message in function()):
            # Two checks say the same of an account without a secret.
            if message.is_silenced() or message.msg in told:
                continue
            told.add(message.msg)
            name = str(message.id).removeprefix("django_altoviz.")
            kind = failing if is_strict and message.level >= ERROR else doubtful
            yield kind(name, str(message.msg), str(message.hint or ""))
    if not told:
        yield well("checks", _("No system check complains."))


def _examine_proxy(visit: Visit) -> Iterator[Finding]:
    """Find out if deliveries seem to come from a proxy that is not trusted."""
    behind = settings.SECURE_PROXY_SSL_HEADER or settings.USE_X_FORWARDED_HOST
    if not behind or app_settings.TRUSTED_PROXIES:
        return
    for account in visit.accounts:
        if account.allowed_ips:
            yield doubtful(
                "proxy",
                _(
                    "The project is behind a proxy, and TRUSTED_PROXIES is empty: for ALLOWED_IPS of "
                    "account “%(name)s”, each delivery comes from the proxy's address."
                )
                % {"name": account.name},
                _("List the addresses of the proxy in TRUSTED_PROXIES."),
            )
