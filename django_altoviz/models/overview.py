"""The overview of all accounts, as the permissions and the pages of a project need it: as a model."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from django_altoviz.models.events import WebhookEvent


class Overview(WebhookEvent):
    """The page of the admin that shows all accounts at a glance.

    It is a model because Django's admin lists models, and permissions belong to them. It is a proxy, so
    that it has no table: ``dumpdata`` would read one.
    """

    class Meta:
        proxy = True
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
        default_permissions = ("view",)
        permissions = [
            ("ask_altoviz", _("Can check the API key and the webhooks at Altoviz")),
            ("register_webhook", _("Can register and remove the webhook at Altoviz")),
            ("start_sync", _("Can start a sync")),
        ]
