"""Bring each stored event to its effect, exactly once and in order per object."""

from django_altoviz.processing.backlog import drain, ready_keys
from django_altoviz.processing.replaying import (
    Replay,
    may_be_replayed,
    process_again,
    replay,
    requeue,
)
from django_altoviz.processing.worker import process

__all__ = [
    "Replay",
    "drain",
    "may_be_replayed",
    "process",
    "process_again",
    "ready_keys",
    "replay",
    "requeue",
]
