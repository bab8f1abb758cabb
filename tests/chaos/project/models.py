from django.db import models


class Effect(models.Model):
    """Effect of a receiver. No constraint forbids a second one: the judge must find it."""

    event = models.BigIntegerField()
    receiver = models.CharField(max_length=32)

    def __str__(self):
        return f"{self.receiver} {self.event}"
