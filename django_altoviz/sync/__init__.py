from django_altoviz.sync.entities import ENTITIES, sync
from django_altoviz.sync.watching import Watcher

__all__ = ["ENTITIES", "Watcher", "sync"]
