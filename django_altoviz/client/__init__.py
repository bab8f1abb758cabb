from django_altoviz.client.client import AltovizClient
from django_altoviz.client.pacing import Pace

__all__ = ["AltovizClient", "Pace"]
