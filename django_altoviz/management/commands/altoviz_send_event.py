from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import requests
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from django_altoviz import exact_json
from django_altoviz.client.secrecy import passwords_in, redactor, without_password
from django_altoviz.conf import DEFAULT_ACCOUNT, get_account
from django_altoviz.event_types import SENT_TYPES, EventType
from django_altoviz.intake import signing
from django_altoviz.intake.envelopes import Envelope
from django_altoviz.log import on_one_line
from django_altoviz.management.selection import add_account
from django_altoviz.models import MIRRORS, Status, WebhookEvent
from django_altoviz.models.mirrors.relations import key_of
from django_altoviz.samples import PING, new_event_id, sample, to_body
from django_altoviz.signals import BY_EVENT_TYPE

_DEVELOPMENT_SERVER = "http://127.0.0.1:8000"
_POST_TIMEOUT = 30  # seconds
# The most characters of an answer that are printed.
_MAX_SHOWN = 300


def assignment(text: str) -> tuple[list[str], Any]:
    """Parse ``path.to.field=JSON`` from the command line."""
    path, _equals, value = text.partition("=")
    try:
        return path.split("."), exact_json.loads(value)
    except ValueError as error:
        raise ArgumentTypeError(
            f"{text!r} is not an assignment. Write FIELD=JSON, for example isPaid=true or "
            f"""subject='"Hello"'"""
        ) from error


class Command(BaseCommand):
    help = (
        "Post a signed sample event to a webhook, as Altoviz does. Be careful with the URL: the "
        "receiving project takes the event for a real one and mirrors its object."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "type",
            choices=[*SENT_TYPES, PING],
            metavar="TYPE",
            help="InvoiceCreated…, or Ping, which is stored and has no effect.",
        )
        parser.add_argument(
            "--url", help=f"The webhook; by default this project's at {_DEVELOPMENT_SERVER}."
        )
        add_account(
            parser,
            default=DEFAULT_ACCOUNT,
            help="The account whose secret and webhook to use.",
        )
        parser.add_argument("--id", help="The id of the event; by default a new one.")
        parser.add_argument(
            "--set",
            type=assignment,
            action="append",
            default=[],
            metavar="FIELD=JSON",
            help="Change a field of the object, for example customerId=370. Can be repeated.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Print the request without sending it."
        )

    def handle(
        self,
        *,
        type: str,
        url: str | None,
        account: str,
        id: str | None,
        dry_run: bool,
        **options: Any,
    ) -> None:
        secrets = get_account(account).webhook_secrets
        if not secrets:
            raise CommandError(_("Account “%(name)s” has no WEBHOOK_SECRET.") % {"name": account})
        url = url or default_url(account)
        envelope = changed_sample(type, id, options["set"])
        body = to_body(envelope)
        if dry_run:
            self.stdout.write(f"POST {without_password(url)}\n{body.decode()}")
            return
        answer = post(url, body, signing.sign(body, secrets[0]))
        self.stdout.write(f"{answer.status_code} {on_one_line(answer.text[:_MAX_SHOWN])}")
        if answer.status_code != HTTPStatus.OK:
            raise CommandError(refusal(answer))
        self.stdout.write(outcome(envelope.event_id, account))


def refusal(answer: requests.Response) -> str:
    """Say what to do about an answer other than 200."""
    if target := answer.headers.get("Location"):
        return _(
            "The webhook redirects to %(target)s. A delivery does not follow redirects: use that URL, "
            "or exempt the webhook (SECURE_SSL_REDIRECT, PREPEND_WWW, APPEND_SLASH)."
        ) % {"target": on_one_line(target)}
    if answer.status_code == HTTPStatus.BAD_REQUEST and "html" in answer.headers.get(
        "Content-Type", ""
    ):
        return _(
            "Django or a proxy refused the request before it reached the webhook. Is the host of the "
            "URL in ALLOWED_HOSTS?"
        )
    return _("The webhook did not accept the event. The log of its server says why.")


def outcome(event_id: str, account: str) -> str:
    """Say what became of the event, if it is in this project's database."""
    try:
        events = WebhookEvent.with_pruned.for_write()
        event = events.filter(event_id=event_id, account=account).order_by("-pk").first()
    except Error:
        event = None
    if event is None:
        return _("The event is not in this project's database: see that of the webhook.")
    if event.error:
        last = on_one_line(event.error.strip().rpartition("\n")[2])
        return f"{event.get_status_display()}: {last}{cure(event)}"
    if not event.is_settled:
        return _(
            "%(status)s: not processed yet. A worker will do it, or altoviz_process_events."
        ) % {"status": event.get_status_display()}
    return f"{event.get_status_display()}{remark(event)}"


def cure(event: WebhookEvent) -> str:
    """Say how to send a sample whose object was deleted: a sync deletes what Altoviz does not have."""
    if event.event_type is None or event.object_id is None or event.status != Status.IGNORED:
        return ""
    rows = MIRRORS[event.event_type.entity].with_deleted.using(event._state.db)
    same = rows.filter(key=key_of(event.account, event.object_id), deleted_at__isnull=False)
    return " " + _("Give the sample another object: --set id=77.") if same.exists() else ""


def remark(event: WebhookEvent) -> str:
    """Say so if nobody listens: a module with receivers that nothing imports gives no error."""
    event_type = EventType(event.type)
    signal = BY_EVENT_TYPE[event_type]
    if signal.named_receivers(MIRRORS[event_type.entity]):
        return ""
    return _(". No receiver is connected to %(signal)s in this process.") % {"signal": signal.name}


def default_url(account: str) -> str:
    """Return the URL of this project's webhook on the development server."""
    try:
        kwargs = {} if account == DEFAULT_ACCOUNT else {"account": account}
        return _DEVELOPMENT_SERVER + reverse("altoviz:webhook", kwargs=kwargs)
    except NoReverseMatch as error:
        raise CommandError(
            _('The project\'s URLs have no webhook. Include "django_altoviz.urls" in them.')
        ) from error


def changed_sample(
    event_type: str, event_id: str | None, changes: Sequence[tuple[list[str], Any]]
) -> Envelope:
    """Return the sample of that type with changed fields, and with a new id unless one is given."""
    envelope = Envelope("", PING, {}) if event_type == PING else sample(EventType(event_type))
    for path, value in changes:
        *parents, name = path
        target = envelope.data
        for parent in parents:
            target = target.get(parent) if isinstance(target, dict) else None
        if not isinstance(target, dict):
            raise CommandError(
                _("The sample has no object “%(path)s”.") % {"path": ".".join(parents)}
            )
        target[name] = value
    return Envelope(event_id or new_event_id(), envelope.type, envelope.data)


def post(url: str, body: bytes, signature: str) -> requests.Response:
    headers = {
        signing.SIGNATURE_HEADER: signature,
        "Content-Type": "text/plain; charset=utf-8",  # as Altoviz sends it [documented]
    }
    try:
        return requests.post(
            url, data=body, headers=headers, timeout=_POST_TIMEOUT, allow_redirects=False
        )
    except requests.RequestException as error:
        raise CommandError(
            _("%(url)s can't be reached: %(error)s")
            % {"url": without_password(url), "error": redactor(passwords_in(url))(str(error))}
        ) from None
