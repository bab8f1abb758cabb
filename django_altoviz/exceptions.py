"""Everything that can go wrong, from one root."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.core.exceptions import SuspiciousOperation


class AltovizError(Exception):
    """The root of this app's errors."""


class UnknownAccount(AltovizError, LookupError):
    """``ALTOVIZ`` names no such account."""


class InvalidSignature(AltovizError, SuspiciousOperation):
    """The body was not signed with any of the account's secrets."""


class MalformedBody(AltovizError, ValueError):
    """An authentic body that is not an understandable event."""


class InvalidPayload(AltovizError, ValueError):
    """A value of an object does not fit. The message begins with the value's path, never its text."""

    def __init__(self, path: str, problem: str) -> None:
        # A key of unknown data may be any text.
        self.path = path = path if path.isprintable() else ascii(path)[1:-1]
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class ForeignObject(AltovizError):
    """The event concerns an object that the mirror knows as another account's."""


class ClaimLost(AltovizError):
    """Another worker has taken the event over, so this one's work is rolled back."""


class SyncTakenOver(AltovizError):
    """Another process goes on with the sync of the same objects, so this one stops."""


class RetryLater(AltovizError):
    """Raised by a receiver that can't do its work yet: it is called again after the delay.

    ``delay`` is a ``timedelta`` or a number of seconds. It is not counted as a failure, so a
    receiver that always asks for more time is never given up.
    """

    def __init__(self, delay: datetime.timedelta | float, reason: str = "") -> None:
        if not isinstance(delay, datetime.timedelta):
            delay = datetime.timedelta(seconds=delay)
        self.delay = delay
        super().__init__(f"again after {self.delay}" + (f": {reason}" if reason else ""))


class GiveUp(AltovizError):
    """Raised by a receiver that will never succeed with this event: it is not called again.

    The event ends as ``dead`` when its other receivers are done, unless somebody processes it again.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason or "given up"
        super().__init__(self.reason)


# What queues raise into a task whose time is over; none of them need be installed.
_ENDS_OF_TASKS = {
    "billiard.exceptions.SoftTimeLimitExceeded",  # Celery
    "rq.timeouts.BaseTimeoutException",
}


def is_soft_time_limit(error: Exception) -> bool:
    """Whether it was a queue that raised it, because the task has had its time."""
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return not kinds.isdisjoint(_ENDS_OF_TASKS)


class APIFailure(AltovizError):
    """A request to Altoviz's API did not get the answer it asked for."""


class ConnectionFailed(APIFailure):
    """Altoviz could not be reached, or the answer broke off. Trying again later may help."""


class QuotaUsedUp(APIFailure):
    """The request was not sent, for Altoviz takes no more for now and nobody wants to wait."""


class UnexpectedAnswer(APIFailure):
    """Altoviz answered something that this client does not understand."""


class IncompleteList(APIFailure):
    """A list went on changing while it was read, or repeats itself: what was read is not all of it."""


class ListsFailed(APIFailure):
    """Several lists of a sync could not be read. ``failures`` are their errors."""

    def __init__(self, failures: Sequence[APIFailure]) -> None:
        self.failures = tuple(failures)
        super().__init__("\n".join(map(str, failures)))


class AllGone(APIFailure):
    """Altoviz has none of the objects that the mirror has: the key may be another company's."""


class APIError(APIFailure):
    """Altoviz refused the request.

    ``status_code`` is the HTTP status, ``message`` and ``errors`` what Altoviz says about it: in
    English or French, and often nothing, so nothing should depend on their text [observed].
    """

    cure = "See what Altoviz says about it."

    def __init__(
        self, request: str, status_code: int, message: str = "", errors: Sequence[str] = ()
    ) -> None:
        self.status_code, self.message, self.errors = status_code, message, tuple(errors)
        said = ": ".join(part for part in (message, "; ".join(self.errors)) if part)
        super().__init__(
            f"{request} was answered {status_code}" + (f" ({said}). " if said else ". ") + self.cure
        )


class Redirected(APIError):
    """3xx: not followed, for the API key would go where it does not belong."""

    cure = 'Check the account\'s "BASE_URL" in ALTOVIZ.'


class InvalidRequest(APIError):
    """400: a parameter or a value is not what Altoviz takes."""

    cure = "Mend the request; to repeat it is of no use."


class NotAuthorized(APIError):
    """401 or 403: the API key is wrong, was revoked, or belongs to another environment."""

    cure = 'Check the account\'s "API_KEY" and "BASE_URL" in ALTOVIZ.'


class NotFound(APIError):
    """404: there is no such object (any more)."""

    cure = "The object does not exist, or was deleted."


class NoSuchRoute(NotFound):
    """404, and not as Altoviz says that it has no such object: that proves nothing of the object.

    Altoviz answers so where it does not know the path [observed], and so may whatever stands between.
    """

    cure = 'Check the account\'s "BASE_URL" in ALTOVIZ, the proxy and the network.'


class Conflict(APIError):
    """409: the object is in use elsewhere in Altoviz."""

    cure = "The object is in use."


class RateLimited(APIError):
    """429: more requests than Altoviz takes in a minute, also after waiting and trying again."""

    cure = "Try again in some minutes, or lower the account's API_REQUESTS_PER_MINUTE."


class ServerError(APIError):
    """5xx: Altoviz failed, also after trying again."""

    cure = "Try again later."


class NotConfirmed(APIFailure):
    """Altoviz took a change, and its list did not show it in time. Trying again is safe."""


class StoredOtherwise(NotConfirmed):
    """Altoviz lists a new webhook, and not as it was sent. Trying again changes nothing."""
