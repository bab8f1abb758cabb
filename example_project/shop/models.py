"""Models of the shop. The receivers keep them in step with Altoviz."""

from __future__ import annotations

from django.db import models


class Client(models.Model):
    altoviz_id = models.BigIntegerField(unique=True)
    name = models.TextField(blank=True)
    email = models.TextField("e-mail", blank=True)
    is_closed = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name or str(self.altoviz_id)


class CatalogueItem(models.Model):
    altoviz_id = models.BigIntegerField(unique=True)
    number = models.TextField(blank=True)
    label = models.TextField(blank=True)
    price = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    is_withdrawn = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.label or self.number or str(self.altoviz_id)


class PriceChange(models.Model):
    item = models.ForeignKey(CatalogueItem, models.CASCADE, related_name="price_changes")
    old_price = models.DecimalField(max_digits=20, decimal_places=6)
    new_price = models.DecimalField(max_digits=20, decimal_places=6)
    noticed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.item}: {self.old_price} → {self.new_price}"


class Sale(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        PAID = "paid"
        CANCELLED = "cancelled"
        DELETED = "deleted"

    altoviz_id = models.BigIntegerField(unique=True)
    number = models.TextField(blank=True)
    client = models.ForeignKey(Client, models.PROTECT, null=True, related_name="sales")
    total = models.DecimalField(max_digits=20, decimal_places=2, null=True)
    state = models.CharField(max_length=16, choices=State.choices)

    def __str__(self) -> str:
        return self.number or str(self.altoviz_id)


class Offer(models.Model):
    altoviz_id = models.BigIntegerField(unique=True)
    number = models.TextField(blank=True)
    status = models.TextField(blank=True)
    total = models.DecimalField(max_digits=20, decimal_places=2, null=True)
    is_withdrawn = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.number or str(self.altoviz_id)


class AddressBookEntry(models.Model):
    altoviz_id = models.BigIntegerField(unique=True)
    name = models.TextField(blank=True)
    email = models.TextField("e-mail", blank=True)

    class Meta:
        verbose_name_plural = "address book entries"

    def __str__(self) -> str:
        return self.name or str(self.altoviz_id)


class ReceiverLog(models.Model):
    """A run of a receiver. The receiver writes the row, so it commits with its other changes."""

    receiver = models.CharField(max_length=100)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100)
    logged_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.receiver}: {self.type} {self.event_id}"
