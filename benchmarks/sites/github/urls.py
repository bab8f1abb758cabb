from __future__ import annotations

from django.urls import path
from django_github_app.views import SyncWebhookView

urlpatterns = [path("gh/", SyncWebhookView.as_view())]
