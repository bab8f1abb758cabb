"""An hour of a busy company, in simulated time."""

from __future__ import annotations

import datetime
import math
from collections import defaultdict

from django_altoviz.client import AltovizClient, RateLimiter
from django_altoviz.sync import claim_watch, watch_round
from django_altoviz.testing import NoSuchObject, Refused

#: Half an hour before midnight in Paris.
START = datetime.datetime(2026, 11, 25, 22, 30, tzinfo=datetime.timezone.utc).timestamp()
MIDNIGHT = START + 1800
#: The due date that passes then.
DUE = "2026-11-25"
INTERVAL = 300
ROUNDS = 12


class Clock:
    """The time of the company, of the project and of the rate limit.

    ``at`` are functions to call when their time has come, also while the client waits.
    """

    def __init__(self, now):
        self.now = now
        self.at = []
        self.waited = 0.0

    def __call__(self):
        return self.now

    def datetime(self):
        return datetime.datetime.fromtimestamp(self.now, datetime.timezone.utc)

    def advance(self, until):
        while self.at and self.at[0][0] <= until:
            self.now, act = self.at.pop(0)
            act()
        self.now = max(self.now, until)

    def sleep(self, seconds):
        self.waited += seconds
        self.advance(self.now + seconds)


class Busy:
    """Random changes of all kinds, and the business signals that they must cause."""

    def __init__(self, altoviz, clock, random):
        self.altoviz, self.clock, self.random = altoviz, clock, random
        #: The time at which each business signal of an object became true.
        self.expected = {}
        self.made = 0
        self.open_before = {
            i["id"] for i in altoviz.invoices.all() if i["isDraft"] or not i["isPaid"]
        }

    def change(self):
        choices = [self.of_party] * 4 + [self.of_quote] * 5 + [self.of_invoice] * 8
        while True:
            try:
                self.random.choice(choices)()
            except (NoSuchObject, Refused):
                continue
            self.made += 1
            return

    @property
    def cancelled(self):
        """The time at which each invoice was cancelled."""
        times = self.expected.items()
        return {id: moment for (signal, id), moment in times if signal == "invoice_cancelled"}

    def overdue(self):
        """Return since when and until when each invoice is overdue, if it ever is."""
        periods = {}
        for invoice in self.altoviz.invoices.all():
            id, dates = invoice["id"], [each["date"] for each in invoice["commitments"]]
            if not dates or dates[0] > DUE or id not in self.open_before:
                continue
            since = max(MIDNIGHT, self.expected.get(("invoice_finalized", id), START))
            ends = [
                self.expected.get((f"invoice_{how}", id), math.inf) for how in ("paid", "cancelled")
            ]
            if since < min(ends):
                periods[id] = since, min(ends)
        return periods

    def of_party(self):
        records = getattr(self.altoviz, self.random.choice(["customers", "contacts", "products"]))
        field = {"Customer": "companyName", "Contact": "lastName", "Product": "name"}[records.name]
        kind = self.random.choice(["create", "edit", "delete"])
        if kind == "create":
            records.create()
        elif kind == "edit":
            records.change(self.any(records), **{field: self.random.choice("ABC")})
        else:
            records.delete(self.any(records))

    def of_quote(self):
        quotes = self.altoviz.quotes
        action = self.random.choice(
            ["create", "edit", "delete", "send", "accept", "refuse", "invoice"]
        )
        if action == "create":
            quotes.create()
        elif action == "edit":
            quotes.change(self.any(quotes), subject=self.random.choice("ABC"))
        elif action == "delete":
            quotes.delete(self.any(quotes, status=("Pending",)))
        elif action == "send":
            self.act(quotes, self.any(quotes, status=("Pending", "Sent")), "send", "quote_sent")
        elif action == "invoice":
            self.act(quotes, self.any(quotes, status=("Accepted",)), "invoice", "quote_invoiced")
        else:
            id = self.any(quotes, status=("Pending", "Sent"))
            self.act(
                quotes, id, action, {"accept": "quote_accepted", "refuse": "quote_refused"}[action]
            )

    def of_invoice(self):
        invoices = self.altoviz.invoices
        action = self.random.choice(
            [
                "create",
                "edit",
                "delete",
                "finalize",
                "finalize",
                "send",
                "pay",
                "pay",
                "part",
                "cancel",
            ]
        )
        if action == "create":
            invoices.create()
        elif action == "edit":
            invoices.change(self.any(invoices), subject=self.random.choice("ABC"))
        elif action == "delete":
            invoices.delete(self.any(invoices, isDraft=(True,)))
        elif action == "finalize":
            id = self.any(invoices, isDraft=(True,))
            self.act(invoices, id, "finalize", "invoice_finalized")
        elif action == "send":
            # Of a settled invoice, only a whole sync finds out that it was sent.
            id = self.any(invoices, isDraft=(False,), isPaid=(False,))
            self.act(invoices, id, "send", "invoice_sent")
        elif action == "cancel":
            id = self.any(invoices, isDraft=(False,), isCancelled=(False,))
            self.act(invoices, id, "cancel", "invoice_cancelled")
        elif action == "pay":
            id = self.any(invoices, isDraft=(False,), isPaid=(False,))
            self.act(invoices, id, "pay", "invoice_paid")
        else:
            invoices.pay(self.any(invoices, isDraft=(False,), isPaid=(False,)), "0.01")

    def act(self, records, id, action, signal):
        getattr(records, action)(id)
        self.expected.setdefault((signal, id), self.clock.now)
        credit_id = records.get(id).get("cancellationCreditId")
        if action == "cancel" and credit_id:
            self.expected[("credit_finalized", credit_id)] = self.clock.now
            if self.altoviz.credits.get(credit_id)["isPaid"]:
                self.expected[("credit_settled", credit_id)] = self.clock.now

    def any(self, records, **values):
        """Return the id of an object whose fields have one of the values."""
        ids = records.store.ids()
        self.random.shuffle(ids := [*ids])
        for id in ids:
            record = records.get(id)
            if all(record[name] in allowed for name, allowed in values.items()):
                return id
        raise NoSuchObject


class Hour:
    """Twelve rounds while the company changes. ``starts`` and ``ends`` are their times."""

    def __init__(self, altoviz, clock, random, requests):
        self.altoviz, self.clock, self.random = altoviz, clock, random
        self.limiter = RateLimiter("the hour", requests, clock=clock, sleep=clock.sleep)
        self.busy = Busy(altoviz, clock, random)
        self.sent_at = defaultdict(list)
        self.starts, self.ends, self.rounds = [], [], []

    def schedule(self, number, act):
        start = self.clock.now
        last = start + (ROUNDS - 2) * INTERVAL
        times = sorted(self.random.uniform(start, last) for _ in range(number))
        self.clock.at = sorted(
            [*self.clock.at, *((time, act) for time in times)], key=lambda e: e[0]
        )

    def run(self):
        watch = claim_watch()
        for _ in range(ROUNDS):
            self.starts.append(self.clock.now)
            with AltovizClient.for_account(rate_limiter=self.limiter) as client:
                self.rounds.append(watch_round(client=client, watch=watch, seconds=INTERVAL))
            self.ends.append(self.clock.now)
            self.clock.advance(max(self.starts[-1] + INTERVAL, self.clock.now))

    def connected(self, signals):
        """Connect receivers that note when each signal is sent. Return each with its signal."""
        receivers = []
        for name, signal in signals.items():

            def receive(instance, name=name, **kwargs):
                self.sent_at[name, instance.altoviz_id].append(self.clock.now)

            signal.connect(receive)
            receivers.append((signal, receive))
        return receivers

    def deadline(self, changed_at, rounds=2):
        """Return the end of the second round that begins after the change."""
        times = zip(self.starts, self.ends, strict=True)
        return [end for start, end in times if start >= changed_at][rounds - 1]
