from django_altoviz.checks.databases import check_connections, check_databases, check_tables
from django_altoviz.checks.queues import check_queue
from django_altoviz.checks.receivers import check_connected, check_receivers
from django_altoviz.checks.settings import check_security, check_settings

__all__ = [
    "check_connected",
    "check_connections",
    "check_databases",
    "check_queue",
    "check_receivers",
    "check_security",
    "check_settings",
    "check_tables",
]
