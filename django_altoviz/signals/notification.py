"""A signal that only reports what has happened."""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

from django_altoviz.exceptions import ends_task
from django_altoviz.log import log_about


class Notification(Signal):
    """A signal whose receivers can't change what it reports, whatever they raise."""

    def notify(self, sender: Any, **named: Any) -> None:
        """Call the receivers. Log what they raise, except what has to end the running task.

        ``SystemExit`` and its like, which ``send_robust`` lets pass, end this notification only.
        """
        try:
            answers = self.send_robust(sender, **named)
        except BaseException as error:
            if ends_task(error):
                raise
            kind = type(error).__name__
            log_about().error("A receiver of a notification raised %s.", kind)
            return
        for _receiver, answer in answers:
            if isinstance(answer, Exception) and ends_task(answer):
                raise answer
