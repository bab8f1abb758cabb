"""When an event that has failed is tried again, and when no more."""

from __future__ import annotations

import datetime
import random
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from django_altoviz.conf import app_settings
from django_altoviz.exceptions import RetryLater
from django_altoviz.models import Status

# Beyond that the largest pause is reached with any base.
_MOST_DOUBLINGS = 32
# Nobody plans further ahead, and the calendar has an end.
_LONGEST = datetime.timedelta(days=366)


def after_failure(failures: int, errors: Sequence[Exception]) -> tuple[Status, dict[str, Any]]:
    """The status of an event that has failed, so many times before, and what goes with it.

    A receiver that asks for a later attempt has not failed: it uses up none of ``MAX_ATTEMPTS``.
    Where several have something to say, the longest pause holds, but none longer than a year.
    """
    pauses = [error.delay for error in errors if isinstance(error, RetryLater)]
    if len(pauses) < len(errors):
        failures += 1
        pauses.append(pause_after(failures))
    if failures >= app_settings.MAX_ATTEMPTS:
        return Status.DEAD, {"failures": failures}
    next_attempt_at = timezone.now() + min(max(pauses), _LONGEST)
    return Status.FAILED, {"failures": failures, "next_attempt_at": next_attempt_at}


def pause_after(failures: int) -> datetime.timedelta:
    """The pause after so many failures: doubled each time, and drawn from its upper half, so that
    what has failed together is not tried again together."""
    seconds = app_settings.RETRY_BACKOFF_SECONDS * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
    longest = min(seconds, app_settings.RETRY_BACKOFF_MAX_SECONDS, _LONGEST.total_seconds())
    return datetime.timedelta(seconds=random.uniform(longest / 2, longest))
