from __future__ import annotations

from django.urls import path

from django_altoviz.views import WebhookView

app_name = "altoviz"

# Both with and without a slash, because APPEND_SLASH would redirect, and a redirect loses the POST.
urlpatterns = [
    path("webhook/", WebhookView.as_view(), name="webhook"),
    path("webhook", WebhookView.as_view()),
    path("webhook/<str:account>/", WebhookView.as_view(), name="webhook"),
    path("webhook/<str:account>", WebhookView.as_view()),
]
