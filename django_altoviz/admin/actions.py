"""Process the selected events again, and say what became of them."""

from __future__ import annotations

from collections import Counter

from django.contrib import messages
from django.utils.translation import ngettext

from django_altoviz.processing import Replay


def messages_about(outcomes: Counter[Replay]) -> list[tuple[int, str]]:
    """Return the level and the text of a message for each outcome that occurred."""
    return [
        (_level(outcome), _text(outcome, outcomes[outcome]))
        for outcome in Replay
        if outcomes[outcome]
    ]


def _level(outcome: Replay) -> int:
    if outcome.is_refusal:
        return messages.WARNING
    return messages.SUCCESS if outcome is Replay.PROCESSED else messages.ERROR


def _text(outcome: Replay, count: int) -> str:
    if outcome is Replay.PROCESSED:
        text = ngettext("%(count)d event was processed.", "%(count)d events were processed.", count)
    elif outcome is Replay.FAILED:
        text = ngettext("%(count)d event failed again.", "%(count)d events failed again.", count)
    else:
        text = ngettext(
            "%(count)d event was not processed: %(reason)s.",
            "%(count)d events were not processed: %(reason)s.",
            count,
        )
    return text % {"count": count, "reason": outcome.label}
