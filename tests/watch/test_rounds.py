"""Rounds of a watch: what each finds, and with how many requests."""

from __future__ import annotations

import datetime

import pytest
from django.utils import timezone

from django_altoviz.client import AltovizClient, RateLimiter, resources, responses
from django_altoviz.client.resources import InvoiceResource
from django_altoviz.exceptions import AllGone, InvalidRequest, SyncTakenOver
from django_altoviz.models import Customer, Invoice, Quote, Source, SyncRun, Watch, WebhookEvent
from django_altoviz.processing import process
from django_altoviz.sync import claim_watch, looking, sync, watch_round
from tests.conftest import body_of
from tests.sync.changes import drift
from tests.watch.hour import Clock as FakeClock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def short_pages(monkeypatch):
    """Let a page have ten objects, so that small companies have long lists."""
    for module in (resources, responses, looking):
        monkeypatch.setattr(module, "PAGE_SIZE", 10)


@pytest.fixture
def altoviz(connect):
    """A company with more invoices, quotes and customers than a page has. Half of them are open."""
    altoviz = connect()
    altoviz.populate(customers=12, products=3, invoices=44, quotes=14)
    for invoice in [*altoviz.invoices.all()][:22]:
        if invoice["isDraft"]:
            altoviz.invoices.finalize(invoice["id"])
        altoviz.invoices.pay(invoice["id"])
    sync()
    return altoviz


@pytest.fixture
def watched(altoviz):
    """The same after the first round."""
    watch_round()
    altoviz.requests.clear()
    return altoviz


def pick(records, **values):
    """Return the id of the first object with these values."""
    return next(
        each["id"]
        for each in records.all()
        if all(each[name] == value for name, value in values.items())
    )


def open_invoice(altoviz):
    return pick(altoviz.invoices, isDraft=False, isPaid=False)


def lists_read(altoviz):
    """Return the path and the filters of each list that was read."""
    names = {"status": "status", "from": "from", "includecancelled": "all"}
    return [
        (
            request.path.removeprefix("/v1/"),
            {names[n]: v for n, v in request.query.items() if n in names},
        )
        for request in altoviz.requests
        if request.query
    ]


def lookups(altoviz):
    return [request.path for request in altoviz.requests if not request.query]


def whole_syncs():
    return SyncRun.objects.filter(is_import=False).count()


def round_with(settings, *, requests):
    """Make a round that may plan with this many requests, in simulated time."""
    share = {"API_REQUESTS_PER_MINUTE": 100, "WATCH_SHARE": requests / 100}
    settings.ALTOVIZ = settings.ALTOVIZ | share
    clock = FakeClock(1_000_000.0)
    limiter = RateLimiter(f"with {requests}", 100, clock=clock, sleep=clock.sleep)
    with AltovizClient.for_account(rate_limiter=limiter) as client:
        result = watch_round(client=client, seconds=60)
    settings.ALTOVIZ = settings.ALTOVIZ | {"WATCH_SHARE": 0.5, "API_REQUESTS_PER_MINUTE": 10**6}
    return result


class TestAQuietRound:
    def test_reads_a_page_of_each_list_and_writes_nothing(self, watched):
        before = WebhookEvent.objects.count()
        result = watch_round()
        assert result.as_json() == {
            "new": 0, "changed": 0, "deleted": 0, "failed": 0, "overdue": 0, "requests": 11,
        }  # fmt: skip
        assert WebhookEvent.objects.count() == before
        assert lookups(watched) == []
        assert [path for path, _ in lists_read(watched)] == [
            "Customers", "Contacts", "Products", *["SaleInvoices"] * 5, *["SaleQuotes"] * 2,
            "SaleCredits",
        ][: len(watched.requests)]  # fmt: skip

    def test_is_recorded_with_its_requests(self, watched):
        result = watch_round()
        watch = Watch.objects.get()
        assert (watch.account, watch.rounds, watch.requests) == ("default", 2, result.requests)
        assert result.requests == len(watched.requests)

    def test_reads_the_rest_of_the_open_invoices_if_a_webhook_has_written_to_the_mirror(
        self, watched
    ):
        Invoice.objects.filter(is_paid=True).update(synced_at=timezone.now())
        quiet = len([each for each in lists_read(watched) if "status" in each[1]])
        watch_round()
        assert len([each for each in lists_read(watched) if "status" in each[1]]) > quiet


class TestARound:
    def test_finds_a_payment_that_no_event_tells(self, watched, sent):
        id = open_invoice(watched)
        watched.invoices.pay(id)
        assert watch_round().counts["changed"] == 1
        assert sent == {("invoice_updated", id): 1, ("invoice_paid", id): 1}
        assert lookups(watched) in ([], [f"/v1/SaleInvoices/{id}"])  # or it was on the first page
        assert drift(watched) == []

    def test_finds_a_payment_in_part(self, watched, sent):
        id = open_invoice(watched)
        watched.invoices.pay(id, "0.01")
        watched.invoices.pay(pick(watched.invoices, isDraft=False, isPaid=False, sentAt=None))
        watch_round()
        assert drift(watched) == []

    @pytest.mark.parametrize(
        ("action", "values", "signal"),
        [
            ("finalize", {"isDraft": True}, "invoice_finalized"),
            ("cancel", {"isDraft": False, "isPaid": False}, "invoice_cancelled"),
            ("send", {"isDraft": False, "isPaid": False}, "invoice_sent"),
        ],
    )
    def test_finds_the_steps_of_an_open_invoice(self, watched, sent, action, values, signal):
        id = pick(watched.invoices, **values)
        getattr(watched.invoices, action)(id)
        # Another one is paid, because the length of no list tells that an invoice was sent.
        watched.invoices.pay(open_invoice(watched))
        watch_round()
        assert sent[signal, id] == 1

    @pytest.mark.parametrize(
        ("actions", "signal"),
        [
            (["send"], "quote_sent"),
            (["accept"], "quote_accepted"),
            (["refuse"], "quote_refused"),
            (["accept", "invoice"], "quote_invoiced"),
        ],
    )
    def test_finds_the_steps_of_a_quote(self, watched, sent, actions, signal):
        id = watched.quotes.store.last_id()
        for action in actions:
            getattr(watched.quotes, action)(id)
        watch_round()
        assert sent[signal, id] == 1
        assert drift(watched) == []

    @pytest.mark.parametrize("kind", ["customers", "contacts", "products", "invoices", "quotes"])
    def test_finds_what_is_new_and_what_was_deleted(self, watched, kind, sent):
        records, name = getattr(watched, kind), kind.removesuffix("s")
        values = {"isDraft": True} if kind == "invoices" else {}
        gone = pick(records, **values)
        if kind in ("customers", "products"):
            gone = records.create()["id"]  # the others are used in documents
            watch_round()
        new = records.create()["id"]
        watch_round()
        assert sent[f"{name}_created", new] == 1
        records.delete(gone)
        watch_round()
        assert sent[f"{name}_deleted", gone] == 1
        assert drift(watched) == []

    def test_reads_one_more_page_if_something_is_new(self, watched, sent):
        id = watched.customers.create()["id"]
        quiet = 11
        assert watch_round().requests <= quiet + 2  # a customer comes with a contact
        assert whole_syncs() == 0
        assert sent["customer_created", id] == 1

    def test_syncs_the_kind_if_something_was_deleted(self, watched):
        id = watched.customers.create()["id"]
        watch_round()
        watched.customers.delete(id)
        watch_round()
        assert [run.entity for run in SyncRun.objects.filter(is_import=False)] == ["customer"]

    def test_leaves_long_lists_to_the_whole_syncs(self, watched, settings):
        id = watched.customers.create()["id"]
        watch_round()
        watched.customers.delete(id)
        assert round_with(settings, requests=1).counts["deleted"] == 0
        assert whole_syncs() == 0
        watch_round(full_every=0)
        assert not Customer.objects.filter(altoviz_id=id).exists()

    def test_looks_at_webhooks_that_are_late(self, watched, post):
        """A delivery may show an invoice as open that was found to be paid."""
        id = open_invoice(watched)
        late = watched.invoices.get(id)
        watched.invoices.pay(id)
        watch_round()
        row = Invoice.objects.get(altoviz_id=id)
        assert row.is_paid
        body = body_of("InvoiceUpdated", **late)
        event = WebhookEvent.from_delivery(body, "default", {})
        WebhookEvent.objects.store(event)
        process(event)
        assert not Invoice.objects.get(altoviz_id=id).is_paid
        watch_round()
        assert Invoice.objects.get(altoviz_id=id).is_paid


class TestACancellationOfASettledInvoice:
    def test_is_found_by_its_credit(self, watched, sent):
        id = [*watched.invoices.all()][20]["id"]
        watched.invoices.cancel(id)
        watch_round()
        assert sent["invoice_cancelled", id] == 1
        assert lookups(watched) == [f"/v1/SaleInvoices/{id}"]
        assert whole_syncs() == 0

    def test_is_found_by_a_sync_if_its_credit_has_another_date(self, watched, sent):
        id = [*watched.invoices.all()][20]["id"]
        credit = watched.credits.get(watched.invoices.cancel(id)["cancellationCreditId"])
        watched.credits.store.put(credit | {"date": "2020-01-01"})
        watch_round()
        assert sent["invoice_cancelled", id] == 1
        assert whole_syncs() == 1

    def test_is_found_although_other_credits_cancel_nothing(self, watched, sent):
        watched.credits.create()
        id = [*watched.invoices.all()][20]["id"]
        watched.invoices.cancel(id)
        watch_round()
        assert sent["invoice_cancelled", id] == 1


class TestFilters:
    @pytest.mark.parametrize("status_filter", ["ignored", "refused"])
    def test_that_do_not_work_are_not_used_until_the_next_day(
        self, altoviz, sent, status_filter, monkeypatch
    ):
        altoviz.behave(status_filter=status_filter)
        watch_round()
        altoviz.requests.clear()
        id = open_invoice(altoviz)
        altoviz.invoices.pay(id)
        watch_round()
        assert sent["invoice_paid", id] == 1
        assert not [each for each in lists_read(altoviz) if "status" in each[1]]
        tomorrow = timezone.now() + datetime.timedelta(days=1)
        monkeypatch.setattr(timezone, "now", lambda: tomorrow)
        watch_round()
        assert [each for each in lists_read(altoviz) if "status" in each[1]]

    def test_that_are_ignored_are_recognised_if_most_invoices_are_cancelled(self, altoviz, sent):
        for invoice in [*altoviz.invoices.all()][:38]:
            if not invoice["isDraft"]:
                altoviz.invoices.cancel(invoice["id"])
        sync()
        altoviz.behave(status_filter="ignored")
        watch_round()
        id = open_invoice(altoviz)
        altoviz.invoices.pay(id)
        watch_round()
        assert sent["invoice_paid", id] == 1

    def test_that_leave_out_some_open_invoices_are_not_believed(self, altoviz, sent, monkeypatch):
        monkeypatch.setattr(
            InvoiceResource, "list_open", ({"Status": "Draft"}, {"Status": "Expired"})
        )
        watch_round()
        assert Watch.objects.get().memory["invoice"]["unfiltered"]
        id = open_invoice(altoviz)
        altoviz.invoices.pay(id)
        watch_round()
        assert sent["invoice_paid", id] == 1

    def test_that_leave_out_a_few_have_these_looked_up(self, altoviz, sent, monkeypatch):
        for invoice in [*altoviz.invoices.all()][:39]:
            if not invoice["isDraft"] and not invoice["isPaid"]:
                altoviz.invoices.pay(invoice["id"])
        sync()
        monkeypatch.setattr(
            InvoiceResource, "list_open", ({"Status": "Draft"}, {"Status": "Expired"})
        )
        for _ in range(2):
            watch_round()
        id = open_invoice(altoviz)
        altoviz.invoices.pay(id)
        altoviz.requests.clear()
        watch_round()
        assert sent["invoice_paid", id] == 1
        assert f"/v1/SaleInvoices/{id}" in lookups(altoviz)

    def test_are_not_used_if_lists_do_not_tell_their_length(self, altoviz, sent):
        altoviz.behave(paging_headers=False)
        id = open_invoice(altoviz)
        altoviz.invoices.pay(id)
        altoviz.customers.create()
        watch_round()
        assert sent["invoice_paid", id] == 1
        assert whole_syncs() == 0


class TestQuotes:
    def test_are_looked_up_if_few_of_many_are_open(self, altoviz, sent):
        for quote in [*altoviz.quotes.all()][1:]:
            altoviz.quotes.refuse(quote["id"])
        sync()
        id = altoviz.quotes.store.ids()[0]
        altoviz.requests.clear()
        altoviz.quotes.accept(id)
        watch_round()
        assert sent["quote_accepted", id] == 1
        assert lookups(altoviz) == [f"/v1/SaleQuotes/{id}"]

    def test_without_a_date_are_looked_up(self, altoviz, sent):
        for quote in [*altoviz.quotes.all()]:
            if quote["id"] != altoviz.quotes.store.last_id():
                altoviz.quotes.refuse(quote["id"])
        id = altoviz.quotes.store.last_id()
        altoviz.quotes.store.put(altoviz.quotes.get(id) | {"date": None})
        sync()
        altoviz.quotes.store.put(altoviz.quotes.get(id) | {"status": "Accepted"})
        watch_round()
        assert sent["quote_accepted", id] == 1

    def test_that_are_recent_are_read_by_date(self, altoviz, sent):
        for quote in [*altoviz.quotes.all()][:11]:
            altoviz.quotes.store.put(quote | {"status": "Refused", "date": "2020-01-01"})
        sync()
        id = altoviz.quotes.store.last_id()
        altoviz.quotes.accept(id)
        altoviz.requests.clear()
        watch_round()
        assert sent["quote_accepted", id] == 1
        assert [each[1].keys() for each in lists_read(altoviz) if each[0] == "SaleQuotes"] == [
            set(), {"from"},
        ]  # fmt: skip
        assert lookups(altoviz) == []


class TestTheFirstRound:
    def test_imports_without_signals(self, connect, sent):
        """Receivers hear of what happens from now on, without a webhook."""
        altoviz = connect()
        altoviz.populate(customers=3, products=3, invoices=3, quotes=3)
        watch_round()
        assert drift(altoviz) == []
        assert not sent
        invoice = altoviz.invoices.create()["id"]
        customer = altoviz.customers.store.last_id()
        altoviz.customers.change(customer, companyName="Renamed")
        watch_round()
        assert sent == {("invoice_created", invoice): 1, ("customer_updated", customer): 1}

    def test_imports_with_signals_if_they_are_asked_for(self, connect, sent):
        altoviz = connect()
        altoviz.populate(customers=2)
        watch_round(signals=True)
        assert {name for name, _id in sent} == {"customer_created", "contact_created"}

    def test_imports_an_empty_company(self, connect, sent):
        altoviz = connect()
        watch_round()
        id = altoviz.products.create()["id"]
        watch_round()
        assert sent == {("product_created", id): 1}


class TestWholeSyncs:
    def test_are_made_again_after_the_given_time(self, watched):
        watched.customers.change(watched.customers.store.last_id(), companyName="Not on page 1")
        watch_round(full_every=3600)
        assert drift(watched)
        SyncRun.objects.update(finished_at=timezone.now() - datetime.timedelta(hours=2))
        watch_round(full_every=3600)
        assert drift(watched) == []
        assert whole_syncs() == 6

    def test_go_on_in_the_next_round_when_the_time_of_a_round_is_over(self, watched):
        watch_round(full_every=0, seconds=0)
        unfinished = SyncRun.objects.filter(finished_at=None)
        assert unfinished.exists()
        for _ in range(12):
            watch_round(full_every=0, seconds=0)
        assert SyncRun.objects.filter(is_import=False).exclude(finished_at=None).count() > 1


class TestTrouble:
    def test_documents_that_are_listed_without_lines_are_read_only_if_they_differ(
        self, watched, sent
    ):
        watched.behave(lines_in_lists=False)
        watch_round()
        assert lookups(watched) == []
        id = open_invoice(watched)
        watched.invoices.pay(id)
        watch_round()
        assert sent["invoice_paid", id] == 1
        assert {*lookups(watched)} == {f"/v1/SaleInvoices/{id}"}
        assert drift(watched) == []

    def test_a_list_that_repeats_its_pages_ends(self, altoviz, monkeypatch):
        altoviz.behave(paging_headers=False)
        page = resources.Resource.page
        monkeypatch.setattr(
            resources.Resource, "page", lambda self, number, filters=None: page(self, 1, filters)
        )
        watch_round()
        assert len(altoviz.requests) < 100

    def test_an_object_that_does_not_fit_is_not_searched_for_again(self, watched):
        customer = watched.customers.create()
        watched.customers.store.put(customer | {"active": "maybe"})
        for _ in range(2):
            watch_round()
        assert whole_syncs() == 1
        watched.requests.clear()
        assert watch_round().requests <= 11
        assert whole_syncs() == 1

    def test_a_key_of_another_company_applies_and_deletes_nothing(self, watched, connect):
        rows = Customer.objects.count()
        other = connect(seed=5)
        for records in other.company.records.values():
            records.skip_ids(5_000_000)
        other.populate(customers=5, products=3, invoices=5, quotes=5)
        with pytest.raises(AllGone):
            watch_round()
        assert Customer.objects.count() == rows
        assert not WebhookEvent.objects.filter(
            source=Source.SYNC, type__endswith="Deleted"
        ).exists()

    def test_a_second_watch_takes_over(self, watched):
        first = claim_watch()
        watch_round()
        with pytest.raises(SyncTakenOver, match="taken over watch"):
            watch_round(watch=first)

    def test_a_list_that_fails_does_not_stop_the_others(self, watched, sent):
        id = open_invoice(watched)
        watched.invoices.pay(id)
        watched.fail_next(400)
        with pytest.raises(InvalidRequest):
            watch_round()
        assert sent["invoice_paid", id] == 1

    def test_many_changes_are_looked_up_in_turn(self, watched, sent, settings):
        ids = [i["id"] for i in watched.invoices.all() if not i["isDraft"] and not i["isPaid"]][-8:]
        for id in ids:
            watched.invoices.pay(id)
        for _ in range(3):
            # Not enough for a sync of the five pages.
            assert round_with(settings, requests=3).counts["changed"] <= 3
        paid = [id for name, id in sent if name == "invoice_paid"]
        assert sorted(paid) == sorted(ids)
        assert {*sent.values()} == {1}

    def test_a_filter_by_date_that_is_refused_is_not_needed(self, altoviz, sent, monkeypatch):
        for quote in [*altoviz.quotes.all()][:11]:
            altoviz.quotes.store.put(quote | {"status": "Refused", "date": "2020-01-01"})
        sync()
        monkeypatch.setattr("django_altoviz.client.resources._iso_date", lambda day: "no date")
        id = altoviz.quotes.store.last_id()
        altoviz.quotes.accept(id)
        watch_round()
        assert sent["quote_accepted", id] == 1
        assert f"/v1/SaleQuotes/{id}" in lookups(altoviz)
        assert Quote.objects.get(altoviz_id=id).status == "Accepted"
