from django.db import models


class Effect(models.Model):
    """What a receiver did. No constraint keeps a second one out: that there is none is to be shown."""

    event = models.BigIntegerField()
    receiver = models.CharField(max_length=32)

    def __str__(self):
        return f"{self.receiver} {self.event}"
