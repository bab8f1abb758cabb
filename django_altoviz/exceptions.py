"""Everything that can go wrong, from one root."""

from __future__ import annotations

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
