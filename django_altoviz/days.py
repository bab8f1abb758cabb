"""The days of the project's time zone: the current one, and the time at which a day begins."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.utils import timezone


def midnight(day: datetime.date) -> datetime.datetime:
    """Return the time at which the day begins in the project's time zone."""
    begins_at = datetime.datetime.combine(day, datetime.time())
    if not settings.USE_TZ:
        return begins_at
    return timezone.make_aware(begins_at).astimezone(datetime.timezone.utc)


def local_today() -> datetime.date:
    """Return the current day in the project's time zone."""
    return timezone.localdate() if settings.USE_TZ else datetime.date.today()
