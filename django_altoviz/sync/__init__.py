from django_altoviz.sync.overdue import signal_overdue
from django_altoviz.sync.progress import Watcher
from django_altoviz.sync.rereading import Reread, reread
from django_altoviz.sync.run import ENTITIES, sync
from django_altoviz.sync.slices import sync_for
from django_altoviz.sync.watching import Round, claim_watch, watch_round

__all__ = [
    "ENTITIES",
    "Reread",
    "Round",
    "Watcher",
    "claim_watch",
    "reread",
    "signal_overdue",
    "sync",
    "sync_for",
    "watch_round",
]
