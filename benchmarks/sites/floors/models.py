"""Models with the least that a webhook receiver could store."""

from __future__ import annotations

from django.db import models


class Event(models.Model):
    event_id = models.CharField(max_length=255, unique=True)
    body = models.TextField()
    received_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.event_id


class Customer(models.Model):
    altoviz_id = models.BigIntegerField(unique=True)
    number = models.CharField(max_length=255, null=True)
    name = models.TextField(null=True)
    email = models.CharField(max_length=255, null=True)
    city = models.TextField(null=True)
    active = models.BooleanField(null=True)
    data = models.JSONField()

    def __str__(self) -> str:
        return str(self.altoviz_id)
