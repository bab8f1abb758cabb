"""Decide when a failed event is tried again: exponential backoff with jitter, then dead letter."""

from __future__ import annotations

import datetime
import random
from collections.abc import Sequence
from typing import Any, TypeGuard

from django_altoviz.conf import app_settings
from django_altoviz.exceptions import RetryLater
from django_altoviz.models import Status
from django_altoviz.models.queue import clock

# After this many doublings any base has reached the longest pause.
_MOST_DOUBLINGS = 32
# Dates can't be arbitrarily far in the future.
_LONGEST_PAUSE = datetime.timedelta(days=366)
_NO_PAUSE = datetime.timedelta()


def after_failure(failures: int, errors: Sequence[BaseException]) -> tuple[Status, dict[str, Any]]:
    """Return the status of an event that has failed once more, and the columns that go with it.

    ``failures`` is the number of earlier failures. ``RetryLater`` is not a failure and uses up none
    of ``MAX_ATTEMPTS``. If several receivers failed, the longest pause counts, but at most a year.
    """
    pauses = [error.delay for error in errors if is_postponement(error)]
    if len(pauses) < len(errors):
        failures += 1
        pauses.append(pause_after(failures))
    if failures >= app_settings.MAX_ATTEMPTS:
        return Status.DEAD, {"failures": failures}
    next_attempt_at = clock() + min(max(*pauses, _NO_PAUSE), _LONGEST_PAUSE)
    return Status.FAILED, {"failures": failures, "next_attempt_at": next_attempt_at}


def is_postponement(error: BaseException) -> TypeGuard[RetryLater]:
    """Return True if the error asks for another attempt after a delay, and counts as no failure."""
    if not isinstance(error, RetryLater):
        return False
    try:
        return isinstance(error.delay, datetime.timedelta)
    except Exception:  # a subclass has made something else of the delay
        return False


def pause_after(failures: int) -> datetime.timedelta:
    """Return the pause after the given number of failures.

    It doubles with each failure. The jitter, which draws from the upper half, keeps events that
    failed together from being tried again together.
    """
    seconds = app_settings.RETRY_BACKOFF_SECONDS * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
    longest = min(seconds, app_settings.RETRY_BACKOFF_MAX_SECONDS, _LONGEST_PAUSE.total_seconds())
    return datetime.timedelta(seconds=random.uniform(longest / 2, longest))  # nosec B311  # jitter
