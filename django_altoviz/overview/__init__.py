"""The state of all accounts at a glance, as data: for the admin, for commands and for an API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django_altoviz.health import Health, health_of
from django_altoviz.models import SyncRun
from django_altoviz.models.sync_runs import last_syncs
from django_altoviz.overview.activity import Month
from django_altoviz.overview.remote import RemoteState


@dataclass(frozen=True)
class AccountOverview:
    """The health of an account, its last syncs, its amounts by month, and Altoviz's answer about it."""

    health: Health
    syncs: Sequence[SyncRun]
    months: Sequence[Month]
    altoviz: RemoteState | None

    def as_json(self) -> dict[str, object]:
        return {
            **self.health.as_json(),
            "syncs": {run.entity: _sync_as_json(run) for run in self.syncs},
            "months": [month.as_json() for month in self.months],
            "altoviz": self.altoviz and self.altoviz.as_json(),
        }


def overview_of(
    accounts: list[str],
    rejected: Mapping[str, Mapping[str, Mapping[str, int]]],
    answers: Mapping[str, RemoteState],
    amounts: Mapping[str, Sequence[Month]],
) -> Iterator[AccountOverview]:
    """Yield the overview of these accounts, and of the others that ``health_of`` finds.

    ``rejected`` is what ``rejections.recent()`` returns, ``answers`` what ``ask`` does, and ``amounts``
    what ``monthly_amounts`` does.
    """
    for health in health_of(accounts, rejected):
        name = health.account
        yield AccountOverview(health, last_syncs(name), amounts.get(name, ()), answers.get(name))


def _sync_as_json(run: SyncRun) -> dict[str, Any]:
    finished_at = run.finished_at
    return {
        "state": run.state.value,
        "started_at": run.started_at.isoformat(),
        "finished_at": finished_at and finished_at.isoformat(),
        "import": run.is_import,
        "drift": run.drift,
        "failed": run.failed,
        "error": run.error,
    }
