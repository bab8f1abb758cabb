"""The webhook: send it a signed probe through the project's middleware, which leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_altoviz.conf import DEFAULT_ACCOUNT, Account
from django_altoviz.doctor.findings import Finding, Visit, failing, findings_of, skipped, well
from django_altoviz.intake import addresses, probing, signing
from django_altoviz.registration import endpoints
from django_altoviz.samples import ping_body

_NAME = "probe"


def examine_delivery(visit: Visit) -> Iterator[Finding]:
    if not visit.accounts:
        yield skipped(_NAME, _("The settings of no account can be read."))
    for account in visit.accounts:
        yield from findings_of(_NAME, partial(_probe, account), visit)


def _probe(account: Account, visit: Visit) -> Iterator[Finding]:
    url = account.webhook_url or _own_url(account)
    if not url:
        cause = _("The project's URLs do not include the webhook.")
        cure = _('Add path("altoviz/", include("django_altoviz.urls")) to ROOT_URLCONF.')
        yield failing(_NAME, cause, cure)
        return
    if not endpoints.host(url):
        cause = _("WEBHOOK_URL of account “%(name)s” is not a URL: %(url)s")
        cure = _("Write scheme, host and path, such as https://shop.example/altoviz/webhook/.")
        yield failing(_NAME, cause % {"name": account.name, "url": url}, cure)
        return
    with ExitStack() as stack:
        # A middleware may write sessions, logs or counts, into any database that answers.
        for alias in connections:
            if alias != visit.alias or not visit.why_no_database:
                with suppress(Error, ImproperlyConfigured):
                    stack.enter_context(transaction.atomic(using=alias))
                    stack.callback(transaction.set_rollback, True, using=alias)
        response = _post_probe(account, url)
    yield _finding_about(response, account, url)


def _own_url(account: Account) -> str:
    kwargs = {} if account.name == DEFAULT_ACCOUNT else {"account": account.name}
    try:
        path = reverse("altoviz:webhook", kwargs=kwargs)
    except NoReverseMatch:
        return ""
    # Without a WEBHOOK_URL nothing is known of the host, so any that Django accepts is right.
    hosts = [host for host in settings.ALLOWED_HOSTS if host.strip("*.")]
    return f"https://{hosts[0].lstrip('.') if hosts else 'localhost'}{path}"


def _post_probe(account: Account, url: str) -> Any:
    body = ping_body()
    split = urlsplit(url)
    secret = next(iter(account.webhook_secrets), "")
    environment = probing.probe_environment() | {"REMOTE_ADDR": _allowed_address(account)}
    # Django behind a proxy sees http, and the header by which the proxy says that it was https.
    is_https = split.scheme == "https"
    if is_https and settings.SECURE_PROXY_SSL_HEADER:
        header, value = settings.SECURE_PROXY_SSL_HEADER
        environment[header], is_https = value, False
    path = split.path.removeprefix(get_script_prefix().rstrip("/")) or "/"
    return Client(enforce_csrf_checks=True, raise_request_exception=False).generic(
        "POST",
        path + (f"?{split.query}" if split.query else ""),
        body,
        "text/plain; charset=utf-8",
        secure=is_https,
        headers={
            "Host": split.netloc.rpartition("@")[2],
            signing.SIGNATURE_HEADER: signing.sign(body, secret),
        },
        **environment,
    )


def _allowed_address(account: Account) -> str:
    """Return an address from which a delivery may come."""
    try:
        return str(addresses.parse_network(account.allowed_ips[0]).network_address)
    except (IndexError, ValueError):
        return "127.0.0.1"


def _finding_about(response: HttpResponseBase, account: Account, url: str) -> Finding:
    answer = _answer_of(response)
    status = response.status_code
    about = {"name": account.name, "url": url, "status": status}
    if answer.get("status") == "probed":
        text = _("A signed delivery for account “%(name)s” reaches the webhook at %(url)s.")
        return well(_NAME, text % about)
    if "reason" in answer:
        cause = _(
            "The webhook of account “%(name)s” rejects a signed delivery with %(status)s: %(reason)s"
        )
        cure = _CURES.get(answer["error"], _CURES[""])
        return failing(_NAME, cause % (about | {"reason": answer["reason"]}), str(cure))
    return failing(_NAME, *_before_the_webhook(response, about))


def _answer_of(response: HttpResponseBase) -> dict[str, Any]:
    try:
        answer = json.loads(getattr(response, "content", b""))
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


#: What to do about an answer of the webhook.
_CURES: dict[str, Any] = {
    "not configured": gettext_lazy(
        "Correct this setting in ALTOVIZ, in the server's environment, too."
    ),
    "forbidden": gettext_lazy("Correct ALLOWED_IPS and TRUSTED_PROXIES."),
    "invalid signature": gettext_lazy(
        "A middleware changes the body or removes the header X-SIGNATURE. Exempt the webhook's path."
    ),
    "unreadable body": gettext_lazy(
        "A middleware reads request.POST or the body before the view. Exempt the webhook's path."
    ),
    "": gettext_lazy("Look the answer up in docs/troubleshooting.rst."),
}


def _before_the_webhook(response: Any, about: dict[str, Any]) -> tuple[str, str]:
    """Return cause and cure of an answer that is not the webhook's."""
    status = response.status_code
    exempt = _(
        "Exempt the webhook's path from the middleware that answers, for example from a login."
    )
    if target := response.headers.get("Location"):
        cause = _("A delivery to %(url)s is redirected to %(target)s, which loses it.")
        cure = _(
            "Use that URL as WEBHOOK_URL and register again, or exempt the webhook (APPEND_SLASH, "
            "PREPEND_WWW, SECURE_SSL_REDIRECT, SECURE_PROXY_SSL_HEADER)."
        )
        return cause % (about | {"target": target}), cure
    if status == 404:
        cause = _("No view of this project is at %(url)s: it answers 404.") % about
        return cause, _('WEBHOOK_URL needs the path of reverse("altoviz:webhook") of the account.')
    if status >= 500:
        kind = (getattr(response, "exc_info", None) or [Exception])[0].__name__
        cause = _(
            "The project answers %(status)s before the webhook does: %(kind)s in a middleware."
        )
        return cause % (about | {"kind": kind}), exempt
    if status == 400:
        cause = (
            _("Django refuses the host of %(url)s with 400, before the webhook is reached.") % about
        )
        return cause, _("Add the host to ALLOWED_HOSTS.")
    cause = _("A middleware answers %(status)s to a delivery to %(url)s, before the webhook does.")
    return cause % about, exempt
