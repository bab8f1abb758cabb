from __future__ import annotations

from django.db import models

from django_altoviz.models import Invoice


class Booking(models.Model):
    """A payment in the books of the project, linked to the mirror."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="bookings")
    amount = models.DecimalField(max_digits=20, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.invoice}: {self.amount}"
