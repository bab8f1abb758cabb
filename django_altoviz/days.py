"""Days: the current one, for whoever looks or for the project, and the time at which a day begins."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.utils import timezone


def midnight(day: datetime.date) -> datetime.datetime:
    """Return the time at which the day begins in the active time zone."""
    begins_at = datetime.datetime.combine(day, datetime.time())
    if not settings.USE_TZ:
        return begins_at
    return timezone.make_aware(begins_at).astimezone(datetime.timezone.utc)


def local_today() -> datetime.date:
    """Return the current day in the active time zone, which a project may set for each reader."""
    return timezone.localdate() if settings.USE_TZ else datetime.date.today()


def project_date() -> datetime.date:
    """Return the current day in the project's ``TIME_ZONE``, whichever time zone is active."""
    if not settings.USE_TZ:
        return timezone.now().date()
    return timezone.localdate(timezone=timezone.get_default_timezone())
