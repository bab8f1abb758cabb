from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.rereading import Reread, reread
from django_altoviz.sync.run import ENTITIES, sync
from django_altoviz.sync.slices import sync_for

__all__ = ["ENTITIES", "Reread", "Watcher", "reread", "sync", "sync_for"]
