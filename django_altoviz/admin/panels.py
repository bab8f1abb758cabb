"""The parts of the overview: what it shows of each account, and the charts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from django_altoviz.admin.base import ReadOnlyAdmin
from django_altoviz.admin.display.charts import Chart, Series
from django_altoviz.admin.display.rendering import EMPTY, badge
from django_altoviz.admin.display.values import format_amount, format_time
from django_altoviz.admin.filters import AccountFilter
from django_altoviz.health import Health
from django_altoviz.models import Rejection, Status, SyncRun, WebhookEvent
from django_altoviz.models.queue import SETTLED
from django_altoviz.models.sync_runs import SyncState
from django_altoviz.overview import AccountOverview
from django_altoviz.overview.activity import Month, Span, activity, kept_for_a_minute
from django_altoviz.overview.remote import KeyState, RemoteState, WebhookState
from django_altoviz.rejections import RECENT_DAYS, by_answer, first_recent_day

_BAD_KEYS = (KeyState.REFUSED, KeyState.OTHER_COMPANY, KeyState.MISSING)
_BAD_WEBHOOKS = (WebhookState.DIFFERS, WebhookState.SEVERAL, WebhookState.MISSING)


@dataclass(frozen=True)
class Panel:
    """An account on the page. Every value is text or safe HTML; ``None`` is not shown."""

    number: int
    name: str
    #: The reader's buttons: what each submits, and its label.
    buttons: Sequence[tuple[str, Any]]
    altoviz: Sequence[tuple[Any, Any]]
    webhooks: Sequence[tuple[Any, ...]]
    problem: str
    events: Sequence[tuple[Any, Any]] | None
    rejected: Sequence[tuple[Any, Any]] | None
    syncs: Sequence[tuple[Any, ...]] | None
    amounts: Chart | None


class Panels:
    """The panels of the accounts, with what the reader of the page may see."""

    def __init__(self, page: ReadOnlyAdmin) -> None:
        self.page, self.mask = page, page.renderer.mask

    def panel(
        self, number: int, overview: AccountOverview, buttons: Sequence[tuple[str, Any]]
    ) -> Panel:
        health, answer = overview.health, overview.altoviz
        sees = self.page.may_view
        name = health.account
        return Panel(
            number=number,
            name=name,
            buttons=buttons,
            altoviz=[*self._altoviz(answer)],
            webhooks=[*map(self._webhook, answer.webhooks)] if answer else [],
            problem=self.mask(answer.explain(name)) if answer else "",
            events=[*self._events(health)] if sees(WebhookEvent) else None,
            rejected=[*self._rejected(health)] if sees(Rejection) else None,
            syncs=[*map(self._sync, overview.syncs)] if sees(SyncRun) else None,
            amounts=amounts_chart(number, overview.months) if overview.months else None,
        )

    def _altoviz(self, answer: RemoteState | None) -> Iterator[tuple[Any, Any]]:
        if answer is None:
            yield _("State"), _("Not asked yet.")
            return
        key, webhook = answer.key, answer.webhook
        yield (
            _("API key"),
            badge(key.label, is_wrong=key in _BAD_KEYS, is_good=key == KeyState.VALID),
        )
        if answer.company:
            yield _("Company"), self.page.renderer.cell(answer.company)
        is_right, is_wrong = webhook == WebhookState.RIGHT, webhook in _BAD_WEBHOOKS
        yield _("Webhook"), badge(webhook.label, is_wrong=is_wrong, is_good=is_right)
        yield _("Asked at"), format_time(answer.asked_at)

    def _webhook(self, webhook: Any) -> tuple[Any, ...]:
        """Return the row of a webhook: id, name, URL and finding."""
        if not webhook["ours"]:
            finding = badge(_("not this app's"))
        elif webhook["right"]:
            finding = badge(pgettext("a webhook", "right"), is_good=True)
        else:
            text = _("differs in %(fields)s") % {"fields": ", ".join(webhook["differs"])}
            finding = badge(text, is_wrong=True)
        cells = (webhook["id"] or EMPTY, webhook["name"], webhook["url"])
        return *(self.page.renderer.cell(str(value)) for value in cells), finding

    def _events(self, health: Health) -> Iterator[tuple[Any, Any]]:
        last = health.last_received_at
        yield _("Last delivery"), format_time(last) if last else _("never")
        if health.oldest:
            yield _("The oldest waits since"), format_time(health.oldest)
        counts = {
            Status.PENDING: health.pending,
            Status.PROCESSING: health.processing,
            Status.FAILED: health.failed,
            Status.DEAD: health.dead,
            Status.MALFORMED: health.malformed,
        }
        for status, count in counts.items():
            # The others have their content: only settled events are pruned.
            with_content = {"pruned_at__isnull": True} if status in SETTLED else {}
            query = {"status__exact": status.value, **with_content}
            yield _LABELS[status], self._linked(WebhookEvent, count, health.account, **query)
            if status == Status.PENDING:
                yield _("of these, waiting for an earlier event"), number_format(health.blocked)
            if status == Status.DEAD and health.conflicting:
                text = _("of these, another body under a known id")
                yield text, number_format(health.conflicting)

    def _rejected(self, health: Health) -> Iterator[tuple[Any, Any]]:
        for answer, count in by_answer(health.rejected).most_common():
            query = {"answer": answer, "day__gte": first_recent_day().isoformat()}
            yield answer, self._linked(Rejection, count, health.account, **query)

    def _sync(self, run: SyncRun) -> tuple[Any, ...]:
        """Return the row of a sync: kind, state, time, drift and error."""
        state = run.state
        is_wrong = state in (SyncState.STOPPED, SyncState.FAILED)
        label = badge(state.label, is_wrong=is_wrong, is_good=state == SyncState.DONE)
        drift = number_format(run.drift)
        if run.is_import:
            drift = _("first sync: %(count)s") % {"count": drift}
        if run.failed:
            failed = _("%(count)s failed") % {"count": number_format(run.failed)}
            drift = f"{drift}, {failed}"
        started = self.page.link(SyncRun, "change", format_time(run.started_at), run.pk)
        error = self.page.renderer.cell(run.error)
        return run.get_entity_display(), label, started, drift, error

    def _linked(self, model: Any, count: int, account: str, **query: Any) -> str:
        """Return the number, as a link to the list of what it counts."""
        query[AccountFilter.parameter_name] = account
        return self.page.link(model, "changelist", number_format(count), **query)


_LABELS = {
    Status.PENDING: _("Pending"),
    Status.PROCESSING: _("Being processed"),
    Status.FAILED: _("Failed, to be tried again"),
    Status.DEAD: _("Dead"),
    Status.MALFORMED: _("Malformed"),
}


def amounts_chart(number: int, months: Sequence[Month]) -> Chart:
    """Return the chart of an account's invoices by month."""
    return Chart(
        id=f"altoviz-amounts-{number}",
        title=_("Invoices of the last twelve months, with tax, by the date of the invoice"),
        unit="",
        labels=[date_format(month.first_day, "YEAR_MONTH_FORMAT") for month in months],
        series=[
            Series("invoiced", _("Invoiced"), [month.invoiced for month in months]),
            Series("paid", _("Of these, paid"), [month.paid for month in months]),
        ],
        write=lambda value: format_amount(Decimal(value)),
        is_stacked=False,
    )


def unknown_accounts(rejected: Mapping[str, Mapping[str, int]]) -> str:
    """Return how many deliveries named an account that does not exist, or nothing."""
    count = by_answer(rejected).total()
    text = gettext("Deliveries for unknown accounts in %(days)s days: %(count)s")
    return text % {"days": RECENT_DAYS, "count": number_format(count)} if count else ""


def event_charts() -> list[Chart]:
    """Return the charts of the events by hour and by day."""
    found = kept_for_a_minute("events", activity)
    hours = [date_format(_local(span.begins_at), "TIME_FORMAT") for span in found.hours]
    days = [date_format(_local(span.begins_at), "SHORT_DATE_FORMAT") for span in found.days]
    return [
        _chart_of("hours", _("Events of the last 24 hours, by hour"), hours, found.hours),
        _chart_of("days", _("Events of the last 30 days, by day"), days, found.days),
    ]


def _chart_of(id: str, title: Any, labels: Sequence[str], spans: Sequence[Span]) -> Chart:
    occurring = {status for span in spans for status in span.counts}
    series = [
        Series(status.value, status.label, [span.counts[status] for span in spans])
        for status in Status
        if status in occurring
    ]
    return Chart(f"altoviz-{id}", title, _("events"), labels, series, number_format)


def _local(moment: Any) -> Any:
    return localtime(moment) if settings.USE_TZ else moment
