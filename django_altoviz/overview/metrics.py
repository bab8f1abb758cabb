"""The state of all accounts in the text format of OpenMetrics, which Prometheus reads."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator

from django.utils import timezone

from django_altoviz.models import Status
from django_altoviz.models.sync_runs import SyncState
from django_altoviz.overview import AccountOverview

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_LABEL_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
#: Each gauge with its help text.
GAUGES = {
    "altoviz_events": "Events that are not settled, dead or malformed, by state.",
    "altoviz_blocked_events": "Pending events that wait for an earlier event of their object.",
    "altoviz_backlog_age_seconds": "The time that the oldest event of the backlog has waited.",
    "altoviz_silence_seconds": "The time since the last new event came in by webhook.",
    "altoviz_rejected_deliveries": "Deliveries of today and yesterday (UTC) that were rejected.",
    "altoviz_sync_age_seconds": "The time since the last sync that has finished ended.",
    "altoviz_sync_drift": "The differences that the last sync found.",
    "altoviz_sync_failed": "1 if the last sync failed or stopped, else 0.",
}
Sample = tuple[str, dict[str, str], float]


def open_metrics(overviews: Iterable[AccountOverview]) -> str:
    """Return all gauges, each with a sample for each account that has one."""
    samples = [sample for overview in overviews for sample in _samples(overview)]
    lines = []
    for name, text in GAUGES.items():
        lines += [f"# TYPE {name} gauge", f"# HELP {name} {text}"]
        lines += [_line(*sample) for sample in samples if sample[0] == name]
    return "\n".join([*lines, "# EOF", ""])


def _line(name: str, labels: dict[str, str], value: float) -> str:
    text = ",".join(
        f'{label}="{given.translate(_LABEL_ESCAPES)}"' for label, given in labels.items()
    )
    return f"{name}{{{text}}} {value:g}" if value < 1e6 else f"{name}{{{text}}} {value:.0f}"


def _samples(overview: AccountOverview) -> Iterator[Sample]:
    health = overview.health
    account = {"account": health.account}
    for status in (
        Status.PENDING,
        Status.PROCESSING,
        Status.FAILED,
        Status.DEAD,
        Status.MALFORMED,
    ):
        number = getattr(health, status.value)
        yield "altoviz_events", {**account, "status": status.value}, number
    yield "altoviz_blocked_events", account, health.blocked
    yield "altoviz_backlog_age_seconds", account, health.age.total_seconds()
    if health.silence is not None:
        yield "altoviz_silence_seconds", account, health.silence.total_seconds()
    rejected: Counter[str] = Counter()
    for counts in health.recent_rejections:
        rejected.update(counts)
    for answer, number in sorted(rejected.items()):
        yield "altoviz_rejected_deliveries", {**account, "answer": answer}, number
    yield from _sync_samples(overview)


def _sync_samples(overview: AccountOverview) -> Iterator[Sample]:
    now: datetime.datetime = timezone.now()
    for run in overview.syncs:
        labels = {"account": overview.health.account, "entity": str(run.entity)}
        if run.finished_at is not None:
            age = (now - run.finished_at).total_seconds()
            yield "altoviz_sync_age_seconds", labels, age
            yield "altoviz_sync_drift", labels, run.drift
        is_wrong = run.state in (SyncState.FAILED, SyncState.STOPPED)
        yield "altoviz_sync_failed", labels, int(is_wrong)
