"""The exceptions of this app, all derived from ``AltovizError``."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import SuspiciousOperation


class AltovizError(Exception):
    """The base class of this app's exceptions."""


class UnknownAccount(AltovizError, LookupError):
    """``ALTOVIZ`` has no account of this name."""


class InvalidSignature(AltovizError, SuspiciousOperation):
    """The body is not signed with any of the account's secrets."""


class MalformedBody(AltovizError, ValueError):
    """The body of an authentic delivery is not an event."""


class InvalidPayload(AltovizError, ValueError):
    """A value of an object is invalid. The message names its path, and never contains its text."""

    def __init__(self, path: str, problem: str) -> None:
        # Keys of unknown data may hold any character, also control characters.
        self.path = path = path if path.isprintable() else ascii(path)[1:-1]
        self.problem = problem
        super().__init__(f"{path}: {problem}")

    def __reduce__(self) -> Any:
        return type(self), (self.path, self.problem), vars(self)


class ClaimLost(AltovizError):
    """Another worker has claimed the event. The work of this worker is rolled back."""


class TransactionUndone(AltovizError):
    """The transaction of a receiver was rolled back or committed within the receiver.

    Its database work is lost or was committed too early, so it does not count as done.
    """


class SyncTakenOver(AltovizError):
    """Another process has claimed the sync run. The sync in this process stops."""


class QueueDown(AltovizError):
    """The queue does not take a task. The text is the kind of exception that its library raised."""


class SyncPaused(AltovizError):
    """The time that a sync was given is over. The next sync resumes it."""


class RetryLater(AltovizError):
    """Raised by a receiver that can't do its work yet, to be called again after the delay.

    ``delay`` is a ``timedelta`` or a number of seconds. It does not count as a failure, so the event
    never becomes dead, however often the receiver raises it.
    """

    def __init__(self, delay: datetime.timedelta | float, reason: str = "") -> None:
        if not isinstance(delay, datetime.timedelta):
            delay = datetime.timedelta(seconds=delay)
        self.delay, self.reason = delay, reason
        super().__init__(f"again after {self.delay}" + (f": {reason}" if reason else ""))

    def __reduce__(self) -> Any:
        return type(self), (self.delay, self.reason), vars(self)


class GiveUp(AltovizError):
    """Raised by a receiver that can never handle this event, so as not to be called again.

    Once the other receivers are done, the event becomes ``dead`` (the dead letter). Replaying it calls
    the receiver again.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason or "given up"
        super().__init__(self.reason)


# Raised by task queues in a task that exceeds its time limit. Compared by name, because the packages
# need not be installed.
_TIME_LIMITS = {
    "billiard.exceptions.SoftTimeLimitExceeded",  # Celery
    "django_q.exceptions.TimeoutException",
    "dramatiq.middleware.threading.Interrupt",
    "rq.timeouts.BaseTimeoutException",
}


def ends_task(error: BaseException) -> bool:
    """Return True if the exception has to end the running task or command, once it is noted.

    That is Control-C, and what a task queue raises into a task that exceeds its time limit. Everything
    else, even ``SystemExit``, is only a failure of the code that raised it.
    """
    if isinstance(error, KeyboardInterrupt):
        return True
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return not kinds.isdisjoint(_TIME_LIMITS)


class APIFailure(AltovizError):
    """A request to Altoviz's API failed."""


class ConnectionFailed(APIFailure):
    """Altoviz could not be reached, or the response broke off. A retry may help."""


class Unreachable(ConnectionFailed):
    """Altoviz could not be reached, however often the client tried."""


class QuotaUsedUp(APIFailure):
    """The request was not sent, because the rate limit is used up and the client must not wait."""


class UnexpectedAnswer(APIFailure):
    """The client can't interpret the response."""


class AnswerTooLarge(UnexpectedAnswer):
    """Altoviz's answer is longer than any that this client accepts."""


class IncompleteList(APIFailure):
    """A list changed during pagination, or repeats itself, so some of its objects may be missing."""


class ListsFailed(APIFailure):
    """Several lists of a sync could not be read. ``failures`` are their errors."""

    def __init__(self, failures: Sequence[APIFailure]) -> None:
        self.failures = tuple(failures)
        super().__init__("\n".join(map(str, failures)))

    def __reduce__(self) -> Any:
        return type(self), (self.failures,), vars(self)


class AllGone(APIFailure):
    """Altoviz has none of the mirrored objects: the API key may belong to another company."""


class APIError(APIFailure):
    """Altoviz answered with an HTTP error.

    ``message`` and ``errors`` are Altoviz's own explanations. They may be in English, in French or
    empty, so no code should depend on their text [observed].
    """

    hint = "See the explanation by Altoviz."

    def __init__(
        self, request: str, status_code: int, message: str = "", errors: Sequence[str] = ()
    ) -> None:
        self.request, self.status_code = request, status_code
        self.message, self.errors = message, tuple(errors)
        explanation = ": ".join(part for part in (message, "; ".join(self.errors)) if part)
        super().__init__(
            f"{request} was answered {status_code}"
            + (f" ({explanation}). " if explanation else ". ")
            + self.hint
        )

    def __reduce__(self) -> Any:
        # An exception is pickled with the arguments of its base class, which are its text.
        arguments = (self.request, self.status_code, self.message, self.errors)
        return type(self), arguments, vars(self)


class Redirected(APIError):
    """3xx: not followed, because the API key would be sent to another host."""

    hint = 'Check the account\'s "BASE_URL" in ALTOVIZ.'


class InvalidRequest(APIError):
    """400: Altoviz does not accept a parameter or a value."""

    hint = "Correct the request. A retry fails again."


class NotAuthorized(APIError):
    """401 or 403: the API key is wrong, was revoked, or belongs to another environment."""

    hint = 'Check the account\'s "API_KEY" and "BASE_URL" in ALTOVIZ.'


class NotFound(APIError):
    """404: the object does not exist, or not any longer."""

    hint = "The object does not exist, or was deleted."


class NoSuchRoute(NotFound):
    """404 of a path, not of an object. It does not prove that the object is gone.

    Altoviz answers so if it does not know the path [observed], and so may a proxy in between.
    """

    hint = 'Check the account\'s "BASE_URL" in ALTOVIZ, the proxy and the network.'


class Conflict(APIError):
    """409: the object is in use elsewhere in Altoviz."""

    hint = "The object is in use."


class RateLimited(APIError):
    """429: the rate limit was exceeded, even after waiting and retrying."""

    hint = "Try again in a few minutes, or lower the account's API_REQUESTS_PER_MINUTE."


class ServerError(APIError):
    """5xx: Altoviz failed, even after retries."""

    hint = "Try again later."


class NotConfirmed(APIFailure):
    """Altoviz accepted a change, but its list did not show it in time. A retry is safe."""


class StoredOtherwise(NotConfirmed):
    """Altoviz lists the new webhook, but not as it was sent. A retry does not help."""
