"""A captured delivery: which secret signed it, or what was altered on the way."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeAlias

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_altoviz.conf import Account
from django_altoviz.doctor.alterations import is_cut_short, originals
from django_altoviz.doctor.findings import Finding, Visit, failing, skipped, well
from django_altoviz.intake import signing

_NAME_OF_CAPTURE = "signature"
#: Finds the secret that signs some bytes, as its account and its number.
_Signer: TypeAlias = Callable[..., "tuple[Account, int] | None"]
#: The ways in which somebody may have given Altoviz another key than the secret.
_KEYS: list[tuple[object, Callable[[str], bytes]]] = [
    (gettext_lazy("with a line break at its end"), lambda secret: f"{secret}\n".encode()),
    (gettext_lazy("with a line break at its end"), lambda secret: f"{secret}\r\n".encode()),
    (gettext_lazy("with a space at its end"), lambda secret: f"{secret} ".encode()),
    (gettext_lazy("in quotation marks"), lambda secret: f'"{secret}"'.encode()),
    (gettext_lazy("in quotation marks"), lambda secret: f"'{secret}'".encode()),
    (gettext_lazy("decoded from Base64"), lambda secret: base64.b64decode(secret, validate=True)),
    (gettext_lazy("decoded from hexadecimal"), bytes.fromhex),
    (gettext_lazy("in UTF-16"), lambda secret: secret.encode("utf-16-le")),
]


def examine_capture(visit: Visit) -> Iterator[Finding]:
    if visit.body is None:
        yield skipped(_NAME_OF_CAPTURE, _("No delivery was given with --body and --signature."))
        return
    decoded = signing.decode(visit.signature)
    if decoded is None:
        yield failing(
            _NAME_OF_CAPTURE,
            _("The signature is in no known encoding: it has %(length)s characters.")
            % {"length": len(visit.signature.strip())},
            _("Copy the whole value of X-SIGNATURE, such as 64 hexadecimal digits or Base64."),
        )
        return
    # The secrets of all accounts, because a delivery may come to the webhook of another one.
    accounts = {each.name: each for visited in (visit, Visit()) for each in visited.accounts}
    yield _verdict(visit, *decoded, [*accounts.values()])


def _verdict(visit: Visit, received: bytes, encoding: str, accounts: list[Account]) -> Finding:
    def signer(
        body: bytes, key_of: Callable[[str], bytes] = str.encode
    ) -> tuple[Account, int] | None:
        for account in accounts:
            for number, secret in enumerate(account.webhook_secrets, 1):
                with suppress(ValueError):  # the secret can't be decoded in this way
                    if hmac.compare_digest(hmac.digest(key_of(secret), body, "sha256"), received):
                        return account, number
        return None

    body = visit.body or b""
    if found := signer(body):
        return _right(visit, *found, encoding)
    return _with_another_key(signer, body) or _altered(signer, body) or _unknown(body)


def _right(visit: Visit, account: Account, number: int, encoding: str) -> Finding:
    about = {"name": account.name, "number": number, "encoding": encoding}
    cause = _(
        "Secret %(number)s of account “%(name)s” made this signature (encoding: %(encoding)s)."
    )
    if visit.account in (None, account.name):
        return well(_NAME_OF_CAPTURE, cause % about)
    cure = _(
        "The delivery is for that account's webhook. Correct the URL that Altoviz delivers to."
    )
    return failing(_NAME_OF_CAPTURE, cause % about, cure)


def _with_another_key(signer: _Signer, body: bytes) -> Finding | None:
    for what, key_of in _KEYS:
        if found := signer(body, key_of):
            account, number = found
            cause = _("Altoviz signs with secret %(number)s of account “%(name)s” %(what)s.")
            cure = _(
                "Register the webhook again with altoviz_register_webhook, which sends the secret."
            )
            about = {"name": account.name, "number": number, "what": what}
            return failing(_NAME_OF_CAPTURE, cause % about, cure)
    return None


def _altered(signer: _Signer, body: bytes) -> Finding | None:
    for what, original in originals(body):
        if found := signer(original):
            account, number = found
            cause = _(
                "The body was altered on the way: %(what)s. Without that, it is signed with secret "
                "%(number)s of account “%(name)s”."
            )
            cure = _(
                "Find what alters it: a proxy, a firewall, a tunnel, a middleware, or the tool that "
                "captured it. It must pass the body on byte by byte."
            )
            about = {"name": account.name, "number": number, "what": what}
            return failing(_NAME_OF_CAPTURE, cause % about, cure)
    return None


def _unknown(body: bytes) -> Finding:
    if is_cut_short(body):
        return failing(
            _NAME_OF_CAPTURE,
            _("The body is cut short: its JSON ends in the middle, after %(length)s bytes.")
            % {"length": len(body)},
            _("Capture the whole body. If the webhook gets no more, raise the limit of the proxy."),
        )
    return failing(
        _NAME_OF_CAPTURE,
        _("No configured secret made this signature, for the body as it is or altered as usual."),
        _(
            "Compare WEBHOOK_SECRET in the server's environment with the one at Altoviz: run "
            "altoviz_list_webhooks, or register the webhook again with altoviz_register_webhook."
        ),
    )
