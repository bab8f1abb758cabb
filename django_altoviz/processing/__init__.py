"""Bring each stored event to its effect, exactly once and in order per object."""

from django_altoviz.processing.backlog import drain, replay
from django_altoviz.processing.worker import process, process_again

__all__ = ["drain", "process", "process_again", "replay"]
