"""The webhook: authenticate, store, hand over, answer."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from django_altoviz.conf import DEFAULT_ACCOUNT, Account, app_settings, get_account
from django_altoviz.dispatchers import dispatch
from django_altoviz.exceptions import InvalidSignature, UnknownAccount
from django_altoviz.intake import addresses, signing
from django_altoviz.log import log_about
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.signals import event_received, webhook_rejected
from django_altoviz.transactions import own_transactions

_SIGNATURE = f"HTTP_{signing.SIGNATURE_HEADER.upper().replace('-', '_')}"


class Rejected(Exception):
    """The delivery is turned away. Who sent it learns the status and no more."""

    def __init__(self, status_code: int, answer: str, reason: str) -> None:
        self.status_code, self.answer = status_code, answer
        super().__init__(reason)


class WebhookView(View):
    """Receive a delivery for the account that the URL names.

    A plain view, for it needs the raw bytes: Altoviz sends JSON as text/plain [documented], and the
    signature is over what was sent.
    """

    http_method_names = ["post"]
    #: By this the webhook is known among the project's views.
    receives_altoviz = True

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        view = csrf_exempt(login_not_required(super().as_view(**initkwargs)))
        # With ATOMIC_REQUESTS a failure of the processing would take the stored event with it.
        return own_transactions(view)

    def post(self, request: HttpRequest, account: str = DEFAULT_ACCOUNT) -> JsonResponse:
        try:
            return self.receive(request, self.get_account(request, account))
        except ImproperlyConfigured as error:
            return self.turn_away(request, account, Rejected(503, "not configured", str(error)))
        except Rejected as rejection:
            return self.turn_away(request, account, rejection)

    def turn_away(self, request: HttpRequest, account: str, rejection: Rejected) -> JsonResponse:
        log = log_about(account=account)
        log.warning("Delivery for account %r turned away: %s", account, rejection)
        webhook_rejected.send_robust(
            type(self),
            request=request,
            account=account,
            status_code=rejection.status_code,
            reason=str(rejection),
        )
        return JsonResponse({"error": rejection.answer}, status=rejection.status_code)

    def http_method_not_allowed(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        refusal = super().http_method_not_allowed(request, *args, **kwargs)
        refusal.headers["Content-Type"] = "application/json"
        refusal.content = b'{"error": "method not allowed"}'
        return refusal

    def get_account(self, request: HttpRequest, name: str) -> Account:
        """The account to which the request may deliver, as far as the address tells."""
        try:
            account = get_account(name)
            if account.allowed_ips:
                self.check_address(request, account)
        except UnknownAccount as error:
            raise Rejected(404, "unknown account", str(error)) from error
        except ValueError as error:  # a network that is none
            raise Rejected(503, "not configured", str(error)) from error
        return account

    def check_address(self, request: HttpRequest, account: Account) -> None:
        client = addresses.client_address(request.META, app_settings.TRUSTED_PROXIES)
        if not addresses.is_in(client, account.allowed_ips):
            raise Rejected(403, "forbidden", f"address {client} is not in ALLOWED_IPS")

    def receive(self, request: HttpRequest, account: Account) -> JsonResponse:
        """Store an authentic delivery and hand it over; nothing else is stored."""
        body = self.read_body(request)
        arrival = {
            "address": request.META.get("REMOTE_ADDR", ""),
            "content_type": request.META.get("CONTENT_TYPE", ""),
            "user_agent": request.META.get("HTTP_USER_AGENT", ""),
            "signature": self.verify(request, body, account),
        }
        event = WebhookEvent.from_delivery(body, account.name, arrival)
        is_new = self.store(event)
        if event.status == Status.MALFORMED:
            return JsonResponse({"error": "malformed"}, status=400)
        return JsonResponse({"status": "stored" if is_new else "known", "id": event.event_id})

    def read_body(self, request: HttpRequest) -> bytes:
        """The bytes that were sent, read no further than they may be long."""
        limit = app_settings.MAX_BODY_BYTES
        try:
            # Not request.body, which has a limit of its own and another answer.
            body = request.read(limit + 1)
        except UnreadablePostError as error:
            raise Rejected(400, "unreadable body", str(error)) from error
        if len(body) > limit:
            raise Rejected(413, "too large", f"the body is longer than {limit} bytes")
        if not body and request.META.get("CONTENT_LENGTH") not in (None, "", "0"):
            reason = "the body is gone: has a middleware read request.POST?"
            raise Rejected(400, "unreadable body", reason)
        return body

    def verify(self, request: HttpRequest, body: bytes, account: Account) -> str:
        """How the body is signed. Where the account has no secret, nothing is accepted by default."""
        if not account.webhook_secrets and account.allow_unsigned:
            return "unsigned"
        if not account.webhook_secrets:
            raise Rejected(503, "not configured", "the account has no WEBHOOK_SECRET")
        header = request.META.get(_SIGNATURE, "")
        try:
            return signing.verify(body, header, account.webhook_secrets)
        except InvalidSignature as error:
            raise Rejected(401, "invalid signature", str(error)) from error

    def store(self, event: WebhookEvent) -> bool:
        """Store the event and hand it over. Whether this was its first delivery."""
        try:
            waiting = WebhookEvent.with_pruned.store(event)
        except Exception as error:  # of the database, or of what the project does when it is saved
            event.log.exception("A delivery for account %r could not be stored.", event.account)
            raise Rejected(503, "not stored", type(error).__name__) from error
        is_new = event.pk is not None
        if is_new:
            event_received.send_robust(WebhookEvent, event=event)
        if waiting is not None:
            self.hand_over(waiting)
        return is_new

    def hand_over(self, event: WebhookEvent) -> None:
        """Dispatch the event. It is stored, so the sender need not hear of what fails here."""
        try:
            dispatch(event)
        except Exception:
            event.log.exception("Event %s could not be dispatched; it waits.", event.pk)
