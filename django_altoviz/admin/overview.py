"""The overview: the first page of the app, which shows all accounts and has the buttons to act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_altoviz import rejections
from django_altoviz.admin.actions import CONFIRMED
from django_altoviz.admin.base import ReadOnlyAdmin
from django_altoviz.admin.display.values import labelled
from django_altoviz.admin.operations import (
    OPERATIONS,
    NothingToDo,
    Operation,
    Said,
    failure_text,
)
from django_altoviz.admin.panels import Panels, event_charts, unknown_accounts
from django_altoviz.conf import Account, account_names, get_account, used_account_names
from django_altoviz.exceptions import APIFailure, UnknownAccount
from django_altoviz.models import Invoice, Overview, Rejection, WebhookEvent
from django_altoviz.overview import overview_of
from django_altoviz.overview.activity import kept_for_a_minute, monthly_amounts
from django_altoviz.overview.remote import RemoteState, ask, stored_answers
from django_altoviz.transactions import own_transactions

#: The button that asks Altoviz about all accounts. It changes nothing, so it is not confirmed.
ASK = "ask"
_ASK_LABEL = _("Ask Altoviz now")
_LONGEST_LOG = 2000
_FOLDER = "admin/django_altoviz"


@admin.register(Overview)
class OverviewAdmin(ReadOnlyAdmin):
    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "django_altoviz_overview"
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("act/", wrap(self.act_view), name=f"{name}_act"),
            # Django's list of recent actions links to it, with the name of the account.
            path("<path:object_id>/change/", wrap(self.account_view), name=f"{name}_change"),
        ]

    def has_operate_permission(self, request: HttpRequest, permission: str) -> bool:
        may_operate = request.user.has_perm(f"django_altoviz.{permission}")
        return may_operate and self.has_view_permission(request)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        answers = stored_answers(used_account_names())
        return self.bound_to(request).page(request, answers, extra_context)

    def account_view(self, request: HttpRequest, object_id: str = "") -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect(self._address())

    # With ATOMIC_REQUESTS, other workers would not see a claim made here until the request ends.
    @own_transactions
    def act_view(self, request: HttpRequest) -> HttpResponse:
        """Ask Altoviz, or confirm and carry out an operation on an account."""
        if request.method != "POST":  # a reload after a login, for example
            return self.account_view(request)
        action = request.POST.get("action", "")
        operation = OPERATIONS.get(action)
        permission = operation.permission if operation else "ask_altoviz"
        if not self.has_operate_permission(request, permission):
            raise PermissionDenied
        if operation is not None:
            return self._operate(request, action, operation)
        if action != ASK:
            raise Http404
        names = used_account_names()
        answers = ask(names)
        for name in names:
            self._log(request, name, labelled(_ASK_LABEL, answers[name].key.label))
        # Not a redirect: the process that shows the next page may have another cache.
        return self.bound_to(request).page(request, answers)

    def _operate(self, request: HttpRequest, action: str, operation: Operation) -> HttpResponse:
        name = request.POST.get("account", "")
        is_confirmed = CONFIRMED in request.POST
        try:
            account = get_account(name)
            if not is_confirmed:
                return self._confirmation(request, action, operation, account)
            said = [*operation.run(account)]
        except UnknownAccount as error:
            raise Http404 from error
        except NothingToDo as error:
            said = [error.said]
        except (APIFailure, ImproperlyConfigured) as error:
            said = [(messages.ERROR, failure_text(error, name))]
        self._tell(request, said)
        if is_confirmed:
            texts = " ".join(text for _level, text in said)
            self._log(request, name, labelled(operation.label, texts))
        return redirect(self._address())

    def _confirmation(
        self, request: HttpRequest, action: str, operation: Operation, account: Account
    ) -> HttpResponse:
        mask = self.bound_to(request).renderer.mask
        context = {
            **self._context(request, operation.label),
            "account": account.name,
            "steps": [mask(step) for step in operation.plan(account)],
            "fields": [("action", action), ("account", account.name), (CONFIRMED, "yes")],
        }
        return TemplateResponse(request, f"{_FOLDER}/overview_confirmation.html", context)

    def page(
        self,
        request: HttpRequest,
        answers: Mapping[str, RemoteState],
        extra_context: Mapping[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the page with these answers of Altoviz. Nothing is asked."""
        panels = Panels(self)
        rejected = rejections.recent() if self.may_view(Rejection) else {}
        overviews = overview_of(
            used_account_names(),
            rejected,
            answers,
            kept_for_a_minute("amounts", monthly_amounts) if self.may_view(Invoice) else {},
        )
        names = {*account_names()}
        buttons = self._buttons(request)
        shown = [
            panels.panel(number, each, buttons if each.health.account in names else [])
            for number, each in enumerate(overviews)
        ]
        context = {
            **self._context(request, capfirst(self.opts.verbose_name)),
            "panels": shown,
            "unknown_accounts": unknown_accounts(rejected.get("", {})),
            "charts": event_charts() if self.may_view(WebhookEvent) else [],
            "ask": (ASK, _ASK_LABEL) if self.has_operate_permission(request, "ask_altoviz") else "",
            **(extra_context or {}),
        }
        return TemplateResponse(request, f"{_FOLDER}/overview.html", context)

    def _buttons(self, request: HttpRequest) -> list[tuple[str, Any]]:
        return [
            (action, operation.label)
            for action, operation in OPERATIONS.items()
            if self.has_operate_permission(request, operation.permission)
        ]

    def _context(self, request: HttpRequest, title: Any) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request)
        return {**context, "title": title, "opts": self.opts, "media": self.media}

    def _address(self) -> str:
        name = "admin:django_altoviz_overview_changelist"
        return reverse(name, current_app=self.admin_site.name)

    def _tell(self, request: HttpRequest, said: list[Said]) -> None:
        mask = self.bound_to(request).renderer.mask
        for level, text in said:
            self.message_user(request, mask(text), level)

    def _log(self, request: HttpRequest, account: str, text: str) -> None:
        self.note(
            request,
            self.bound_to(request).renderer.mask(text)[:_LONGEST_LOG],
            object_id=account,
            object_repr=gettext("Account “%(name)s”") % {"name": account},
        )
