from django_altoviz.client.client import AltovizClient
from django_altoviz.client.rate_limit import RateLimiter

__all__ = ["AltovizClient", "RateLimiter"]
