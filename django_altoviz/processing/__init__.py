"""Bring each stored event to its effect, exactly once and in order per object."""

from django_altoviz.processing.backlog import Replay, drain, process_again, ready_keys, replay
from django_altoviz.processing.worker import process

__all__ = ["Replay", "drain", "process", "process_again", "ready_keys", "replay"]
