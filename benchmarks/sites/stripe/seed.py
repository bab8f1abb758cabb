"""Create the rows that dj-stripe needs: an account, its key, and the endpoint with its secret."""

from __future__ import annotations

from djstripe.models import Account, APIKey, WebhookEndpoint

from benchmarks.sites import secrets


def seed() -> None:
    account = Account.objects.create(id="acct_benchmark", livemode=False)
    APIKey.objects.create(
        id="key_benchmark",
        type="secret",
        secret=secrets.STRIPE_KEY,
        livemode=False,
        djstripe_owner_account=account,
    )
    WebhookEndpoint.objects.create(
        id="we_benchmark",
        livemode=False,
        djstripe_owner_account=account,
        djstripe_uuid=secrets.STRIPE_ENDPOINT,
        secret=secrets.STRIPE,
        enabled_events=["*"],
        status="enabled",
        url="http://127.0.0.1/",
    )
