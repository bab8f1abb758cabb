"""Put an exception into words, whatever its own methods do.

Receivers may raise anything. A failure must never be lost because it could not be described.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from types import TracebackType

from django_altoviz.exceptions import AltovizError, GiveUp, ends_task
from django_altoviz.intake.envelopes import storable
from django_altoviz.processing.retries import is_postponement

#: The longest text that is kept of an error, in characters: its head and its tail.
_MAX_TEXT = 2**16
#: The longest line that is kept of it in the history.
_MAX_LINE = 500


@dataclass(frozen=True)
class DescribedError:
    """An exception, and the text about it that can be stored and logged."""

    error: BaseException
    text: str
    is_printable: bool

    @property
    def kind(self) -> str:
        """The name of the exception's class."""
        return type(self.error).__qualname__

    @property
    def is_postponement(self) -> bool:
        return is_postponement(self.error)

    @property
    def exc_info(self) -> tuple[type[BaseException], BaseException, TracebackType | None]:
        """The argument for the log: the exception, or its text if a handler could not format it.

        A tuple, because an exception may refuse to be true or false.
        """
        if self.is_printable:
            return type(self.error), self.error, self.error.__traceback__
        return AltovizError, AltovizError(self.text), None


def described(error: BaseException) -> DescribedError:
    """Describe the exception with its traceback, or at least by the name of its class."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as fault:
        if ends_task(fault):
            raise
        about = f"It can't be described: {type(fault).__qualname__}."
        kept = f"{type(error).__qualname__}\n{about}\n"
        return DescribedError(error, kept, is_printable=False)
    kept = shortened(storable(text))
    return DescribedError(error, kept, is_printable=kept == text)


def reason_to_give_up(error: BaseException) -> str | None:
    """Return the reason of a ``GiveUp``, or ``None`` if the exception is another one."""
    if not isinstance(error, GiveUp):
        return None
    try:
        return shortened(storable(str(error.reason)))
    except Exception:
        return type(error).__qualname__


def shortened(text: str, limit: int = _MAX_TEXT) -> str:
    """Return the text, or its beginning and its end if it is longer than ``limit`` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} [{len(text) - 2 * half} characters left out] {text[-half:]}"


def last_line(text: str) -> str:
    """Return the last line, which names the exception, for a history of many attempts."""
    return shortened(text.strip().rpartition("\n")[2], _MAX_LINE)
