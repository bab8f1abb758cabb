"""Admin pages of the shop's own models."""

from __future__ import annotations

from django.contrib import admin

from .models import (
    AddressBookEntry,
    CatalogueItem,
    Client,
    Offer,
    PriceChange,
    ReceiverLog,
    Sale,
)


@admin.register(Client)
class ClientAdmin(admin.ModelAdmin):
    list_display = ["name", "email", "is_closed"]
    list_filter = ["is_closed"]
    search_fields = ["name", "email"]


@admin.register(CatalogueItem)
class CatalogueItemAdmin(admin.ModelAdmin):
    list_display = ["number", "label", "price", "is_withdrawn"]
    list_filter = ["is_withdrawn"]
    search_fields = ["number", "label"]


@admin.register(PriceChange)
class PriceChangeAdmin(admin.ModelAdmin):
    list_display = ["item", "old_price", "new_price", "noticed_at"]
    list_select_related = ["item"]


@admin.register(Sale)
class SaleAdmin(admin.ModelAdmin):
    list_display = ["number", "client", "total", "state"]
    list_filter = ["state"]
    list_select_related = ["client"]
    search_fields = ["number", "client__name"]


@admin.register(Offer)
class OfferAdmin(admin.ModelAdmin):
    list_display = ["number", "status", "total", "is_withdrawn"]
    list_filter = ["status", "is_withdrawn"]
    search_fields = ["number"]


@admin.register(AddressBookEntry)
class AddressBookEntryAdmin(admin.ModelAdmin):
    list_display = ["name", "email"]
    search_fields = ["name", "email"]


@admin.register(ReceiverLog)
class ReceiverLogAdmin(admin.ModelAdmin):
    list_display = ["logged_at", "receiver", "type", "event_id"]
    list_filter = ["receiver", "type"]
