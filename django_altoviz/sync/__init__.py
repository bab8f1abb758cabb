from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.run import ENTITIES, sync

__all__ = ["ENTITIES", "Watcher", "sync"]
