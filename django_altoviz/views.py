"""The webhook view: authenticate a delivery, store it, dispatch it, answer."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from django_altoviz import rejections
from django_altoviz.conf import DEFAULT_ACCOUNT, Account, app_settings, get_account
from django_altoviz.dispatchers import dispatch_or_log
from django_altoviz.exceptions import InvalidSignature, UnknownAccount
from django_altoviz.intake import addresses, bodies, probing, signing
from django_altoviz.log import log_about
from django_altoviz.models import Status, WebhookEvent, tables
from django_altoviz.signals import event_received, webhook_rejected
from django_altoviz.transactions import own_transactions

_UNSTORED = "not stored"
_SIGNATURE = f"HTTP_{signing.SIGNATURE_HEADER.upper().replace('-', '_')}"


class Rejected(Exception):
    """Raised to reject a delivery.

    The sender learns the status code and ``answer``. ``reason`` goes to the log and the signal only,
    because it might help an attacker.
    """

    def __init__(self, status_code: int, answer: str, reason: str) -> None:
        self.status_code, self.answer = status_code, answer
        super().__init__(reason)


class WebhookView(View):
    """Receive the deliveries of the account named in the URL.

    This is a plain Django view because it needs the raw bytes: Altoviz sends JSON as ``text/plain``
    [documented], and the signature covers the body exactly as it was sent.
    """

    http_method_names = ["post"]
    #: The raw body, as soon as all of it was read.
    body: bytes | None = None
    #: Marks the view for the checks, which test that ``WEBHOOK_URL`` leads to it.
    receives_altoviz = True

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        view = csrf_exempt(login_not_required(super().as_view(**initkwargs)))
        # Under ATOMIC_REQUESTS, an error during processing would also roll back the stored event.
        return own_transactions(view)

    def post(self, request: HttpRequest, account: str = DEFAULT_ACCOUNT) -> JsonResponse:
        try:
            return self.receive(request, self.get_account(account))
        except ImproperlyConfigured as error:
            return self.reject(request, account, Rejected(503, "not configured", str(error)))
        except Rejected as rejection:
            return self.reject(request, account, rejection)

    def reject(self, request: HttpRequest, account: str, rejection: Rejected) -> JsonResponse:
        if probing.is_probe(request):
            about = {"error": rejection.answer, "reason": str(rejection)}
            return JsonResponse(about, status=rejection.status_code)
        log = log_about(account=account)
        log.warning("Delivery for account %r rejected: %s", account, rejection)
        if webhook_rejected.has_listeners(type(self)):  # otherwise the digest is of no use
            webhook_rejected.notify(
                type(self),
                request=request,
                account=account,
                status_code=rejection.status_code,
                reason=str(rejection),
                body_length=None if self.body is None else len(self.body),
                body_digest=None if self.body is None else hashlib.sha256(self.body).hexdigest(),
            )
        rejections.tally.count(account, rejection.answer, rejection.status_code)
        if rejection.answer != _UNSTORED:
            rejections.tally.write()  # otherwise the database has just failed
        return JsonResponse({"error": rejection.answer}, status=rejection.status_code)

    def http_method_not_allowed(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response = super().http_method_not_allowed(request, *args, **kwargs)
        response.headers["Content-Type"] = "application/json"
        response.content = b'{"error": "method not allowed"}'
        return response

    def get_account(self, name: str) -> Account:
        try:
            return get_account(name)
        except UnknownAccount as error:
            raise Rejected(404, "unknown account", str(error)) from error

    def receive(self, request: HttpRequest, account: Account) -> JsonResponse:
        """Store an authentic delivery and dispatch its event. Store nothing else."""
        address = self.check_address(request, account)
        body = self.body = self.read_body(request)
        arrival = {
            "address": address,
            "content_type": request.META.get("CONTENT_TYPE", ""),
            "user_agent": request.META.get("HTTP_USER_AGENT", ""),
            "signature": self.verify(request, body, account),
        }
        event = WebhookEvent.from_delivery(body, account.name, arrival)
        if probing.is_probe(request):
            return JsonResponse({"status": "probed"})
        is_new = self.store(event)
        rejections.tally.write()
        if event.status == Status.MALFORMED:
            return JsonResponse({"error": "malformed"}, status=400)
        return JsonResponse({"status": "stored" if is_new else "known", "id": event.event_id})

    def check_address(self, request: HttpRequest, account: Account) -> str:
        """Reject a client that is not in ``ALLOWED_IPS``.

        Return its address, or the peer's as the server gives it if that can't be told.
        """
        try:
            client = addresses.client_address(request.META, app_settings.TRUSTED_PROXIES)
            is_allowed = not account.allowed_ips or addresses.is_in(client, account.allowed_ips)
        except (ImproperlyConfigured, ValueError) as error:  # no list, or an invalid network
            if account.allowed_ips:
                raise Rejected(503, "not configured", str(error)) from error
            # The address is only recorded then, and that is no reason to lose a delivery.
            client, is_allowed = None, True
        if not is_allowed:
            reason = f"address {client} is not in ALLOWED_IPS; list your proxy in TRUSTED_PROXIES"
            raise Rejected(403, "forbidden", reason)
        return request.META.get("REMOTE_ADDR", "") if client is None else str(client)

    def read_body(self, request: HttpRequest) -> bytes:
        """Return the raw body. Stop reading as soon as it exceeds ``MAX_BODY_BYTES``."""
        limit = app_settings.MAX_BODY_BYTES
        try:
            body = bodies.read_raw(request, limit + 1)
        except bodies.LengthRequired as error:
            reason = (
                "the body came in chunks (Transfer-Encoding: chunked), which this server does not "
                "pass on: let a proxy buffer requests, or use another server"
            )
            raise Rejected(411, "length required", reason) from error
        except bodies.UnreadableBody as error:
            raise Rejected(400, "unreadable body", str(error)) from error
        if len(body) > limit:
            raise Rejected(413, "too large", f"the body is longer than {limit} bytes")
        if not body and request.META.get("CONTENT_LENGTH") not in (None, "", "0"):
            reason = "the body was already consumed: does a middleware read request.POST?"
            raise Rejected(400, "unreadable body", reason)
        return body

    def verify(self, request: HttpRequest, body: bytes, account: Account) -> str:
        """Return the encoding of the signature, or "unsigned" if the account allows that.

        An account without a secret accepts nothing, unless ``ALLOW_UNSIGNED`` is set.
        """
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
        """Store and dispatch the event. Return True if this was its first delivery."""
        try:
            waiting = WebhookEvent.with_pruned.store(event)
        except (ImproperlyConfigured, KeyboardInterrupt):
            raise
        except BaseException as error:
            # From the database, or from a receiver of the project for pre_save or post_save.
            missing = tables.missing(router.db_for_write(WebhookEvent))
            reason = f"tables are missing, run migrate: {missing}" if missing else ""
            event.log.exception(
                "A delivery for account %r could not be stored. %s", event.account, reason
            )
            raise Rejected(503, _UNSTORED, reason or type(error).__name__) from error
        is_new = event.pk is not None
        if is_new:
            event_received.notify(WebhookEvent, event=event)
        if waiting is not None:
            dispatch_or_log(waiting)
        return is_new
