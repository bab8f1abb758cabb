from django_altoviz.client.client import AltovizClient
from django_altoviz.client.rate_limit import Pace

__all__ = ["AltovizClient", "Pace"]
