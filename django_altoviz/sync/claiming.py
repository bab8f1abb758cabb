"""Claim the run of a sync: the interrupted one, or a new one."""

from __future__ import annotations

import datetime

from django.db import router
from django.db.models import F, QuerySet
from django.utils import timezone

from django_altoviz.conf import app_settings
from django_altoviz.event_types import Entity
from django_altoviz.models import SyncRun
from django_altoviz.sync.comparing import newest_event
from django_altoviz.sync.progress import Watcher

# Don't resume a run older than this: what it has read says little about today.
_MAX_AGE = datetime.timedelta(days=1)


def claim_run(account: str, entity: Entity, watcher: Watcher, *, is_dry_run: bool) -> SyncRun:
    """Claim the interrupted run of this kind of object, or a new run.

    Raises:
        SyncTakenOver: another process was faster.
    """
    runs = SyncRun.objects.using(router.db_for_write(SyncRun))
    runs = runs.filter(account=account, entity=entity)
    unfinished = runs.filter(finished_at=None, is_dry_run=is_dry_run)
    young = unfinished.filter(active_at__gt=timezone.now() - _MAX_AGE)
    run = young.order_by("-pk").first()
    goes_on = run is not None
    if run is None:
        is_import = _delete_old(runs) is None
        run = SyncRun(account=account, entity=entity, is_import=is_import, is_dry_run=is_dry_run)
        run.as_of = newest_event(runs.db)
        run.save(using=runs.db)
        # If two syncs start together, both claim the newer run and the optimistic lock lets one win.
        run = unfinished.order_by("-pk").first() or run
        superseded = unfinished.exclude(pk=run.pk)
        # A sync that is still at a superseded run must not write to it between here and the DELETE.
        superseded.update(claims=F("claims") + 1)
        superseded.delete()
    run.claim()
    watcher.began(run, goes_on=goes_on)
    return run


def _delete_old(runs: QuerySet[SyncRun]) -> SyncRun | None:
    """Delete runs older than the retention of events. Keep and return the last successful run.

    Without that run the next sync would be an import again.
    """
    successful = runs.filter(finished_at__isnull=False, is_dry_run=False, error="")
    last = successful.order_by("-pk").first()
    age = datetime.timedelta(days=app_settings.RETENTION_DAYS)
    old = runs.filter(active_at__lt=timezone.now() - age)
    (old.exclude(pk=last.pk) if last else old).delete()
    return last
