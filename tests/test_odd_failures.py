"""Odd exceptions of receivers: each becomes the state of its event, and stops nothing else."""

from __future__ import annotations

import asyncio
import builtins
import datetime
import re
import sys
import threading
from types import SimpleNamespace

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import Group
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from django_altoviz import dispatchers
from django_altoviz.event_types import EventType
from django_altoviz.exceptions import ClaimLost, GiveUp, RetryLater, TransactionUndone
from django_altoviz.models import Customer, ReceiverRun, Status, WebhookEvent
from django_altoviz.processing import backlog, drain, process
from django_altoviz.processing.failures import described, shortened
from django_altoviz.samples import sample_body
from django_altoviz.signals import (
    customer_created,
    customer_updated,
    event_failed,
    event_processed,
    event_received,
    webhook_rejected,
)
from tests.conftest import body_of

pytestmark = pytest.mark.django_db(transaction=True)


class Unspeakable(Exception):
    """Nothing about it can be asked."""

    def __str__(self):
        raise RuntimeError("no text")

    def __repr__(self):
        raise SystemExit("no representation")

    def __bool__(self):
        raise ValueError("neither true nor false")

    def __eq__(self, other):
        raise ValueError("not to be compared")

    __hash__ = None

    def __getattr__(self, name):
        raise KeyError(name)


class Delegating(Exception):
    def __getattr__(self, name):
        return getattr(self.__dict__["wrapped"], name)


class TextOfNumbers(Exception):
    def __str__(self):
        return 5


class LaterWithoutDelay(RetryLater):
    def __init__(self):
        Exception.__init__(self, "later")


class LaterAtNoTime(RetryLater):
    @property
    def delay(self):
        raise KeyError("delay")

    @delay.setter
    def delay(self, value):
        pass


class GivenUpWithoutReason(GiveUp):
    def __init__(self):
        Exception.__init__(self)


def chained():
    error = ValueError("the first")
    for number in range(2000):
        try:
            raise ValueError(number) from error
        except ValueError as caught:
            error = caught
    error.__cause__.__cause__ = error  # a cycle
    return error


def with_notes():
    error = ValueError("noted")
    error.__notes__ = [5, None, "\0"]
    return error


ODD = {
    "SystemExit": lambda: SystemExit(3),
    "GeneratorExit": GeneratorExit,
    "CancelledError": lambda: asyncio.CancelledError("the client hung up"),
    "BaseException": lambda: BaseException("bare"),
    "StopIteration": StopIteration,
    "MemoryError": MemoryError,
    "RecursionError": RecursionError,
    "SyntaxError": lambda: SyntaxError("msg", ("file", 3, "7", "text")),
    "Unspeakable": Unspeakable,
    "Delegating": Delegating,
    "TextOfNumbers": TextOfNumbers,
    "NUL": lambda: ValueError("a \0 b"),
    "surrogate": lambda: ValueError("a \udcff b"),
    "20 MB in a line": lambda: ValueError("x" * 20_000_000),
    "many lines": lambda: ValueError("x\n" * 200_000),
    "chained": chained,
    "notes": with_notes,
    "at once": lambda: RetryLater(-(10**11)),
    "later without a delay": LaterWithoutDelay,
    "later at no time": LaterAtNoTime,
    "a claim": lambda: ClaimLost("not lost at all"),
    "a transaction": lambda: TransactionUndone("not undone"),
    "a database error": lambda: IntegrityError("not from the database"),
    "an operational error": lambda: OperationalError("not from the database"),
    "gives up with NUL": lambda: GiveUp("the bank said \0"),
    "gives up with a surrogate": lambda: GiveUp("the bank said \udcff"),
    "gives up with an object": lambda: GiveUp(SimpleNamespace(code=5)),
    "gives up with an unspeakable object": lambda: GiveUp(Unspeakable),
    "gives up without a reason": GivenUpWithoutReason,
    "gives up at length": lambda: GiveUp("x" * 20_000_000),
}
if sys.version_info >= (3, 11):
    ODD["group"] = lambda: builtins.BaseExceptionGroup("several", [SystemExit(), KeyError("x")])


@pytest.fixture
def connect():
    connected = []

    def connect(signal, receiver):
        signal.connect(receiver, weak=False)
        connected.append((signal, receiver))

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver)


@pytest.fixture
def heard(connect):
    """Connect two receivers, the first of which raises what is put into ``errors``."""
    heard = SimpleNamespace(errors={}, calls=[])

    def odd(event, **kwargs):
        Group.objects.create(name="undone")
        if error := heard.errors.get(event.object_id):
            raise error()

    def sound(event, **kwargs):
        heard.calls.append(event.object_id)

    connect(customer_updated, odd)
    connect(customer_updated, sound)
    return heard


def store(number, event_type="CustomerUpdated"):
    event = WebhookEvent.from_delivery(body_of(event_type, id=number), "default", {})
    WebhookEvent.objects.store(event)
    return event


@pytest.mark.parametrize("error", ODD.values(), ids=ODD)
class TestReceivers:
    def test_the_event_fails_and_nothing_else_stops(self, heard, error):
        heard.errors[1] = error
        events = [store(1), store(2)]
        assert list(drain()) == events
        failed, processed = WebhookEvent.objects.order_by("pk")
        assert failed.status in (Status.FAILED, Status.DEAD)
        assert failed.error
        assert len(failed.error) < 70_000
        assert len(failed.history[-1]["error"]) <= 600
        assert processed.status == Status.PROCESSED
        assert heard.calls == [1, 2]
        assert Group.objects.count() == 1

    def test_the_sender_is_answered_200(self, heard, post, error):
        heard.errors[1] = error
        assert post(body_of("CustomerUpdated", id=1)).status_code == 200
        assert WebhookEvent.objects.get().status in (Status.FAILED, Status.DEAD)
        assert heard.calls == [1]

    def test_an_event_that_can_not_be_mirrored_stops_nothing(self, heard, error):
        def fail(instance, **kwargs):
            if instance.altoviz_id == 1:
                raise error()

        post_save.connect(fail, sender=Customer)
        try:
            assert len(list(drain(WebhookEvent.objects.filter(pk=store(1).pk)))) == 1
            process(store(2))
        finally:
            post_save.disconnect(fail, sender=Customer)
        failed, processed = WebhookEvent.objects.order_by("pk")
        assert failed.error
        assert (failed.failures, processed.status) != (0, Status.FAILED)
        assert [row.altoviz_id for row in Customer.objects.all()] == [2]

    def test_who_only_listens_changes_nothing(self, connect, post, error, caplog):
        caplog.set_level("CRITICAL", "django.dispatch")  # which logs what send_robust catches

        def fail(sender, **kwargs):
            raise error()

        for signal in (event_received, event_processed, event_failed, webhook_rejected):
            connect(signal, fail)
        assert post(body_of("CustomerUpdated", id=1)).status_code == 200
        assert post(body_of("CustomerUpdated", id="x")).status_code == 200
        assert post(b"", signature="0" * 64).status_code == 401
        outcomes = WebhookEvent.objects.order_by("pk").values_list("status", flat=True)
        assert [*outcomes] == [Status.PROCESSED, Status.FAILED]


def test_the_name_of_the_class_is_left_of_an_exception_that_says_nothing(heard):
    heard.errors[1] = Unspeakable
    event = store(1)
    process(event)
    assert "Unspeakable" in event.error
    assert "Unspeakable" in event.history[-1]["error"] or "can't be described" in event.error


def maybe(value):
    """Return a method that returns the value, or raises it if it is an exception."""

    def method(self, *args):
        if isinstance(value, BaseException):
            raise value
        return value

    return method


ANSWERS = st.one_of(
    st.text(),
    st.integers(),
    st.none(),
    st.sampled_from([ValueError(), KeyError(), SystemExit(), GeneratorExit()]),
)
METHODS = st.sampled_from(
    [
        "__str__",
        "__repr__",
        "__bool__",
        "__len__",
        "__getattr__",
        "__eq__",
        "__reduce__",
        "__iter__",
    ]
)
BASES = st.sampled_from([Exception, BaseException, SystemExit, SyntaxError, OSError, GiveUp])


@given(st.data())
def test_every_exception_can_be_described(data):
    methods = data.draw(st.dictionaries(METHODS, ANSWERS))
    base = data.draw(BASES)
    kind = type("Drawn", (base,), {name: maybe(value) for name, value in methods.items()})
    failure = described(kind(data.draw(st.text())))
    assert "Drawn" in failure.text
    failure.text.encode()
    assert "\0" not in failure.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SoftTimeLimitExceeded])
class TestEndOfATask:
    def test_ends_the_task_once_it_is_noted(self, heard, error):
        heard.errors[1] = error
        event = store(1)
        with pytest.raises(error):
            process(event)
        event.refresh_from_db()
        assert (event.status, event.failures) == (Status.FAILED, 1)
        assert error.__name__ in event.error
        assert heard.calls == []

    def test_ends_it_while_the_mirror_is_written(self, error):
        def fail(sender, **kwargs):
            raise error

        event = store(1)
        post_save.connect(fail, sender=Customer)
        try:
            with pytest.raises(error):
                process(event)
        finally:
            post_save.disconnect(fail, sender=Customer)
        assert WebhookEvent.objects.get().failures == 1

    def test_passes_those_who_only_listen(self, connect, error):
        def fail(sender, **kwargs):
            raise error

        connect(event_processed, fail)
        with pytest.raises(error):
            process(store(1))
        assert WebhookEvent.objects.get().status == Status.PROCESSED

    def test_passes_the_description_of_another_exception(self, error):
        class Interrupted(Exception):
            @property
            def __cause__(self):
                raise error

        with pytest.raises(error):
            described(Interrupted())


class TestFailuresAroundEvents:
    """Errors that are not a receiver's, and that should not happen at all."""

    @pytest.fixture
    def break_process(self, monkeypatch):
        def break_process(error):
            def broken(event, **options):
                if event.object_id == 1:
                    raise error
                return process(event, **options)

            process = backlog.process
            monkeypatch.setattr(backlog, "process", broken)

        return break_process

    def test_do_not_stop_a_drain(self, heard, break_process, caplog):
        break_process(SystemExit(1))
        events = [store(number) for number in (1, 2)]
        assert list(drain()) == events[1:]
        assert "could not be processed" in caplog.text

    @pytest.mark.parametrize("error", [OperationalError, KeyboardInterrupt])
    def test_stop_it_if_nothing_else_would_work_either(self, heard, break_process, error):
        break_process(error("x"))
        for number in (1, 2):
            store(number)
        with pytest.raises(error):
            list(drain())

    @pytest.mark.parametrize("error", [SystemExit, GeneratorExit])
    def test_of_a_dispatcher_do_not_reach_the_sender(self, post, monkeypatch, error):
        monkeypatch.setattr(dispatchers, "dispatch", raise_it(error))
        assert post(body_of("CustomerUpdated", id=1)).status_code == 200

    def test_control_c_ends_the_server(self, post, monkeypatch):
        monkeypatch.setattr(dispatchers, "dispatch", raise_it(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            post(body_of("CustomerUpdated", id=1))
        assert WebhookEvent.objects.count() == 1


def raise_it(error):
    def raise_error(*args):
        raise error

    return raise_error


class TestUndoneTransactions:
    """A receiver, or the database behind its back, ends the receiver's transaction."""

    @pytest.mark.parametrize("statement", ["ROLLBACK", "ROLLBACK; BEGIN"])
    def test_work_that_was_rolled_back_does_not_count_as_done(self, connect, statement):
        def receiver(event, **kwargs):
            Group.objects.create(name="lost")
            if event.attempts == 1:
                with connection.cursor() as cursor:
                    for each in statement.split("; "):
                        cursor.execute(each)

        connect(customer_updated, receiver)
        event = store(1)
        process(event)
        assert (event.status, ReceiverRun.objects.count()) == (Status.FAILED, 0)
        assert "TransactionUndone" in event.error
        assert not Group.objects.exists()
        WebhookEvent.objects.update(next_attempt_at=None)
        assert [each.status for each in drain()] == [Status.PROCESSED]
        assert Group.objects.count() == ReceiverRun.objects.count() == 1

    @pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB undoes all at a deadlock")
    def test_a_swallowed_deadlock_on_mariadb_does_not_count_as_done(self, connect):
        other = connection.copy()
        other.inc_thread_sharing()

        def execute(sql):
            with other.cursor() as cursor:
                cursor.execute(sql)

        def receiver(event, **kwargs):
            # First of all, because this statement may look at every row: it would wait for those below.
            execute("BEGIN")
            # MariaDB undoes the transaction that has changed fewer rows.
            execute("UPDATE auth_group SET name = CONCAT(name, 'x') WHERE name LIKE 'c%'")
            execute("UPDATE auth_group SET name = 'a1' WHERE name = 'a'")
            Group.objects.create(name="lost")
            Group.objects.filter(name="b").update(name="b1")
            waiting = threading.Thread(
                target=execute, args=["UPDATE auth_group SET name = 'b2' WHERE name = 'b'"]
            )
            waiting.start()
            try:
                with pytest.raises(OperationalError, match="Deadlock"):
                    Group.objects.select_for_update().get(name="a")
            finally:
                waiting.join()

        names = ["a", "b", *(f"c{number}" for number in range(50))]
        Group.objects.bulk_create([Group(name=name) for name in names])
        connect(customer_updated, receiver)
        event = store(1)
        try:
            process(event)
        finally:
            execute("ROLLBACK")
            other.close()
        assert "TransactionUndone" in event.error
        assert (event.status, ReceiverRun.objects.count()) == (Status.FAILED, 0)
        assert not Group.objects.filter(name="lost").exists()


class TestNothingGrows:
    def test_an_event_that_is_tried_for_months_keeps_its_first_and_last_attempts(self, connect):
        def later(**kwargs):
            raise RetryLater(0)

        connect(customer_updated, later)
        event = store(1)
        for number in range(130):
            process(event)
            event.history[-1]["error"] = f"attempt {number}"
            WebhookEvent.objects.update(history=event.history)
        told = [entry["error"] for entry in event.history]
        assert told == [f"attempt {number}" for number in [*range(20), *range(50, 130)]]
        assert event.attempts == 130

    def test_the_page_of_the_event_says_what_is_left_out(self, admin_client):
        entry = {"at": timezone.now().isoformat(), "status": "quarantined", "error": "x"}
        event = store(1)
        url = f"/admin/django_altoviz/webhookevent/{event.pk}/change/"
        for attempts, is_told in [(100, False), (130, True)]:
            WebhookEvent.objects.update(history=[entry] * 100, attempts=attempts)
            page = admin_client.get(url).content.decode()
            assert ("The attempts in between are not kept." in page) == is_told

    def test_a_history_that_has_grown_is_shortened_at_the_next_attempt(self):
        entry = {"at": timezone.now().isoformat(), "status": "failed", "error": "x"}
        event = store(1)
        past = timezone.now() - datetime.timedelta(seconds=1)
        WebhookEvent.objects.update(
            history=[entry] * 20_000, status=Status.PROCESSING, lease_expires_at=past
        )
        event.refresh_from_db()
        process(event)
        assert (event.status, len(event.history)) == (Status.PROCESSED, 100)

    @pytest.mark.parametrize("length", [0, 2**16, 2**16 + 1, 10**6])
    def test_a_long_text_keeps_its_head_and_its_tail(self, length):
        text = shortened("a" + "x" * length + "z")
        assert (text[0], text[-1]) == ("a", "z")
        assert len(text) < 2**16 + 100
        assert ("left out" in text) == (length + 2 > 2**16)


class TestPauses:
    def test_redeliveries_within_the_pause_are_counted_and_try_nothing(self, heard, post):
        heard.errors[1] = lambda: ValueError("the shop is down")
        body = body_of("CustomerUpdated", id=1)
        post(body)
        before = WebhookEvent.objects.get()
        for _ in range(10):
            assert post(body).json()["status"] == "known"
        event = WebhookEvent.objects.get()
        assert (event.status, event.failures, event.attempts) == (Status.FAILED, 1, 1)
        assert event.next_attempt_at == before.next_attempt_at
        assert event.deliveries == 11
        assert heard.calls == [1]

    def test_a_redelivery_after_the_pause_is_an_attempt(self, heard, post):
        heard.errors[1] = lambda: ValueError("the shop is down")
        body = body_of("CustomerUpdated", id=1)
        post(body)
        WebhookEvent.objects.update(next_attempt_at=timezone.now())
        heard.errors.clear()
        post(body)
        assert WebhookEvent.objects.get().status == Status.PROCESSED


class TestCleanReceivers:
    @pytest.mark.parametrize("fails", [False, True])
    def test_each_receiver_is_given_what_the_event_left(self, connect, fails):
        given = []

        def meddle(event, instance, data, changes, **kwargs):
            given.append((instance.name, data["name"], instance.data["name"], len(changes)))
            instance.name = data["name"] = instance.data["name"] = "EVIL"
            instance.data.clear()
            changes.clear()
            event.envelope.data.clear()
            if fails:
                raise ValueError

        def observe(event, instance, data, changes, **kwargs):
            given.append((instance.name, data["name"], instance.data["name"], len(changes)))
            given.append(event.envelope.data["name"])

        connect(customer_updated, meddle)
        connect(customer_updated, observe)
        process(store(1))
        assert given[0] == given[1]
        assert given[0][0] == given[2] != "EVIL"

    def test_it_takes_no_query_more(self, connect):
        counts = []
        for number in (1, 2, 3):
            connect(customer_updated, lambda number=number, **kwargs: None)
            event = store(number)
            with CaptureQueriesContext(connection) as queries:
                process(event)
            counts.append(len(queries))
        first, second, third = counts
        assert third - second == second - first


class TestTwoVersions:
    """Events that a newer version has stored wait for it, and stop nothing."""

    NEW_TYPE = {"type": "ReceiptCreated", "entity": "receipt"}
    NEW_SIGNAL = {"business_signals": ["invoice_refunded"], "mirrored_at": timezone.now()}
    NEW_STATUS = {"status": "quarantined"}

    @pytest.mark.parametrize("change", [NEW_TYPE, NEW_SIGNAL, NEW_STATUS])
    def test_it_stays_as_it_is_and_the_others_are_processed(self, heard, change):
        newer, own = store(1), store(2)
        WebhookEvent.objects.filter(pk=newer.pk).update(**change)
        before = WebhookEvent.objects.filter(pk=newer.pk).values().get()
        assert list(drain()) == [own]
        assert list(drain()) == []
        assert process(WebhookEvent.objects.get(pk=newer.pk)) == []
        assert WebhookEvent.objects.filter(pk=newer.pk).values().get() == before
        assert heard.calls == [2]

    @pytest.mark.parametrize("change", [NEW_TYPE, NEW_SIGNAL, NEW_STATUS])
    def test_no_admin_page_breaks(self, admin_client, change):
        newer = store(1)
        process(store(1))
        WebhookEvent.objects.filter(pk=newer.pk).update(**change)
        customer = Customer.objects.get()
        for page in [
            "webhookevent/",
            f"webhookevent/{newer.pk}/change/",
            "customer/",
            f"customer/{customer.pk}/change/",
        ]:
            assert admin_client.get(f"/admin/django_altoviz/{page}").status_code == 200, page

    def test_later_events_of_the_object_wait_for_it(self, heard):
        newer, later = store(1), store(1)
        WebhookEvent.objects.filter(pk=newer.pk).update(**self.NEW_SIGNAL)
        assert list(drain()) == []
        later.refresh_from_db()
        assert later.status == Status.PENDING


def test_an_open_transaction_is_not_mistaken_for_an_undone_one(heard):
    with transaction.atomic():
        event = store(1)
        process(event)
    assert event.status == Status.PROCESSED


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "mysql", reason="MariaDB refuses so many levels itself")
@pytest.mark.parametrize(
    ("depth", "status"),
    [
        (98, Status.PROCESSED),
        (99, Status.MALFORMED),
        (700, Status.MALFORMED),
        (940, Status.MALFORMED),
        (100_000, Status.MALFORMED),
    ],
)
def test_a_body_nested_deeper_than_python_can_copy_is_malformed(post, admin_client, depth, status):
    """Python can neither copy, compare nor show an object of some hundred levels."""
    for number in (1, 2):
        customer_created.connect(lambda **kwargs: None, weak=False, dispatch_uid=str(number))
    body = sample_body(EventType.CUSTOMER_CREATED)
    nested = b'"data": {"x": ' + b"[" * depth + b"]" * depth + b","
    body = re.sub(rb'"data":\s*\{', lambda match: nested, body, count=1)
    try:
        post(body)
        post(body + b" ")  # written in another way, so the contents are compared
    finally:
        for number in (1, 2):
            customer_created.disconnect(dispatch_uid=str(number))
    event = WebhookEvent.objects.first()
    assert event.status == status
    assert ("nested deeper than 100 levels" in event.error) == (status == Status.MALFORMED)
    page = f"/admin/django_altoviz/webhookevent/{event.pk}/change/"
    assert admin_client.get(page).status_code == 200
    for customer in Customer.objects.all():
        page = f"/admin/django_altoviz/customer/{customer.pk}/change/"
        assert admin_client.get(page).status_code == 200
