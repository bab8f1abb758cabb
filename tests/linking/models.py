from __future__ import annotations

from django.db import models

from django_altoviz.models import Invoice, InvoiceLine


class Parcel(models.Model):
    """A link that goes with the line."""

    line = models.ForeignKey(InvoiceLine, models.CASCADE)


class Note(models.Model):
    """Links that are emptied."""

    line = models.ForeignKey(InvoiceLine, models.SET_NULL, null=True)
    invoice = models.ForeignKey(Invoice, models.SET_NULL, null=True)


class Booking(models.Model):
    """A link that forbids the deletion."""

    line = models.ForeignKey(InvoiceLine, models.PROTECT)


class Folder(models.Model):
    """A link to the object, whatever becomes of its row."""

    invoice = models.ForeignKey(Invoice, models.DO_NOTHING, to_field="key", db_constraint=False)


class Effect(models.Model):
    """A record that a receiver has done its work for an event."""

    event = models.BigIntegerField()
    receiver = models.TextField()
