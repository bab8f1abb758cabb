"""The identity of receivers, by which each has exactly one effect per event."""

from __future__ import annotations

import functools
import gc
import logging
from collections import Counter

import pytest
from asgiref.sync import sync_to_async
from celery import shared_task
from django.dispatch import Signal
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from django_altoviz.checks import check_receivers
from django_altoviz.exceptions import GiveUp
from django_altoviz.models import Customer, Invoice, ReceiverRun, Status, WebhookEvent
from django_altoviz.processing import process, process_again
from django_altoviz.signals import customer_updated, invoice_paid, invoice_updated
from django_altoviz.signals.event_signal import EventSignal
from django_altoviz.signals.names import name_of
from tests.conftest import body_of, examples
from tests.linking.models import Effect

HERE = "tests.test_receivers"


def notify(**kwargs):
    """The function behind the receivers below."""


async def notify_async(**kwargs):
    pass


def traced(function):
    """A decorator that keeps the way back to the function, as functools.wraps does."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def hidden(function):
    """A decorator that does not."""

    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Notifier:
    def notify(self, **kwargs):
        pass

    @classmethod
    def notify_all(cls, **kwargs):
        pass

    @traced
    def notify_traced(self, **kwargs):
        pass

    def __call__(self, **kwargs):
        pass


class Mailer(Notifier):
    pass


class Endless:
    """An object that has every attribute, and claims to wrap another one like it."""

    def __getattr__(self, name):
        return Endless()

    def __call__(self, **kwargs):
        pass


class Unreadable:
    def __getattr__(self, name):
        raise KeyError(name)

    def __call__(self, **kwargs):
        pass


@shared_task(name="a task")
def task(**kwargs):
    pass


@pytest.mark.parametrize(
    ("receiver", "name"),
    [
        (notify, "notify"),
        (notify_async, "notify_async"),
        (functools.partial(notify, a=1), "notify"),
        (functools.partial(functools.partial(traced(notify), a=1), b=2), "notify"),
        (traced(traced(notify)), "notify"),
        (sync_to_async(notify), "notify"),
        (task, "task"),
        (Notifier().notify, "Notifier.notify"),
        (Mailer().notify, "Mailer.notify"),
        (Mailer.notify_all, "Mailer.notify_all"),
        (Notifier().notify_traced, "Notifier.notify_traced"),
        (functools.partial(Mailer().notify, a=1), "Mailer.notify"),
        (Mailer(), "Mailer"),
        (Endless(), "Endless"),
        (Unreadable(), "Unreadable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "of",
)
def test_the_name_is_the_path_of_the_function_behind_the_receiver(receiver, name):
    assert name_of(receiver) == f"{HERE}.{name}"


def test_a_dispatch_uid_is_the_name_if_it_is_a_text():
    assert name_of(notify, "mail") == "mail"
    assert name_of(notify, 7) == f"{HERE}.notify"
    assert len(name_of(notify, "x" * 300)) < 250
    assert "\ud800" not in name_of(notify, "\ud800")


@pytest.fixture
def signal():
    return EventSignal("test")


def names(signal, sender=None):
    return [name for name, _receiver in signal.named_receivers(sender)]


class TestConnecting:
    def test_django_connects_as_with_any_signal(self, signal):
        signal.connect(notify)
        signal.connect(notify)
        signal.connect(notify, sender=Invoice)
        signal.connect(notify, dispatch_uid="mail", sender=Customer)
        signal.connect(notify_async, dispatch_uid="mail", sender=Customer)
        assert names(signal, Invoice) == [f"{HERE}.notify", f"{HERE}.notify#2"]
        assert names(signal, Customer) == [f"{HERE}.notify", "mail"]
        signal.disconnect(notify)
        signal.disconnect(dispatch_uid="mail", sender=Customer)
        assert names(signal, Customer) == []

    def test_a_receiver_that_is_gone_is_not_called(self, signal):
        notifier = Notifier()
        signal.connect(notifier.notify)
        signal.connect(notify)
        assert len(names(signal)) == 2
        del notifier
        gc.collect()
        assert names(signal) == [f"{HERE}.notify"]

    def test_a_name_does_not_pass_to_the_next_receiver_at_the_same_address(self, signal):
        for number in range(50):
            notifier = (Notifier if number % 2 else Mailer)()
            signal.connect(notifier.notify)
            assert names(signal) == [f"{HERE}.{type(notifier).__name__}.notify"]

    def test_what_wraps_receivers_at_connection_does_not_change_their_names(
        self, signal, monkeypatch
    ):
        connect = Signal.connect
        monkeypatch.setattr(
            Signal, "connect", lambda self, receiver, *rest: connect(self, hidden(receiver), *rest)
        )
        for receiver in (notify, Notifier().notify):
            EventSignal.connect(signal, receiver, weak=False)
        assert names(signal) == [f"{HERE}.notify", f"{HERE}.Notifier.notify"]

    def test_what_wraps_receivers_at_the_call_is_called_under_their_names(self, signal, trace):
        signal.connect(notify)
        signal.connect(notify_async, dispatch_uid="mail")
        calls = signal.named_receivers(None)
        assert [name for name, _receiver in calls] == [f"{HERE}.notify", "mail"]
        calls[0][1]()
        assert trace == ["notify"]

    def test_receivers_that_a_patch_mixes_up_are_called_as_they_were_connected(
        self, signal, monkeypatch
    ):
        signal.connect(notify)
        monkeypatch.setattr(Signal, "_live_receivers", lambda self, sender: ([], [notify_async]))
        assert signal.named_receivers(None) == [(f"{HERE}.notify", notify)]

    def test_a_connection_made_behind_its_back_has_a_name(self, signal):
        Signal.connect(signal, notify)
        Signal.connect(signal, notify_async, dispatch_uid="mail")
        assert names(signal) == [f"{HERE}.notify", "mail"]


@pytest.fixture
def trace(monkeypatch):
    """Wrap receivers where they are looked up, as libraries for tracing do. Return the calls."""
    calls = []
    live_receivers = Signal._live_receivers

    def wrapped(receiver):
        def wrapper(**kwargs):
            calls.append(getattr(receiver, "__name__", "a partial"))
            return receiver(**kwargs)

        return wrapper

    def patched(self, sender):
        synchronous, asynchronous = live_receivers(self, sender)
        return [wrapped(each) for each in synchronous], asynchronous

    monkeypatch.setattr(Signal, "_live_receivers", patched)
    return calls


class TestAmbiguousNames:
    """Receivers that can't be told apart are named, with the cure."""

    @pytest.mark.parametrize(
        "receivers",
        [
            [lambda **kwargs: 1, lambda **kwargs: 2],
            [functools.partial(notify, a=1), functools.partial(notify, a=2)],
            [Notifier().notify, Notifier().notify],
            [hidden(notify), hidden(notify_async)],
        ],
        ids=["lambdas", "partials", "methods", "closures"],
    )
    @pytest.mark.parametrize("signal", [customer_updated, invoice_paid])
    def test_a_check_and_the_log_name_them(self, signal, receivers, caplog):
        sender = Customer if signal is customer_updated else Invoice
        for receiver in receivers:
            signal.connect(receiver)
        try:
            [message] = check_receivers()
            assert message.id == "django_altoviz.W013"
            shared, second = names(signal, sender)
            assert second == f"{shared}#2"
            names(signal, sender)
        finally:
            for receiver in receivers:
                signal.disconnect(receiver)
            signal._warned.clear()
        assert signal.name in message.msg and shared in message.msg
        assert "dispatch_uid" in message.hint
        [record] = caplog.records
        assert record.levelno == logging.WARNING
        assert shared in record.getMessage() and "dispatch_uid" in record.getMessage()

    def test_a_dispatch_uid_cures_it(self, caplog):
        receivers = [functools.partial(notify, a=1), functools.partial(notify, a=2)]
        for number, receiver in enumerate(receivers):
            customer_updated.connect(receiver, dispatch_uid=f"notify {number}")
        try:
            assert check_receivers() == []
            assert names(customer_updated, Customer) == ["notify 0", "notify 1"]
        finally:
            for number in range(2):
                customer_updated.disconnect(dispatch_uid=f"notify {number}")
        assert not caplog.records

    def test_a_number_never_makes_the_name_of_another(self, signal):
        signal.connect(functools.partial(notify, a=1), weak=False, dispatch_uid=7)
        signal.connect(functools.partial(notify, a=2), weak=False, dispatch_uid=8)
        signal.connect(notify, dispatch_uid=f"{HERE}.notify#2")
        shared = f"{HERE}.notify"
        assert names(signal) == [shared, f"{shared}#3", f"{shared}#2"]

    def test_the_same_receiver_twice_is_no_fault(self):
        customer_updated.connect(notify)
        customer_updated.connect(notify, sender=Customer)
        try:
            assert check_receivers() == []
        finally:
            customer_updated.disconnect(notify)
            customer_updated.disconnect(notify, sender=Customer)


@pytest.mark.django_db
@pytest.mark.parametrize("error", [RuntimeError, GiveUp])
def test_a_receiver_is_given_nothing_that_a_failed_one_has_changed(post, error):
    seen = []

    def spoil(instance, data, changes, **kwargs):
        instance.number = data["number"] = "TMP"
        instance.save()
        changes.clear()
        raise error("after all that")

    def look(instance, data, changes, **kwargs):
        seen.append((instance.number, data["number"], changes["number"]))

    invoice_updated.connect(spoil)
    invoice_updated.connect(look)
    try:
        post(body_of("InvoiceUpdated", number="FA1"))
    finally:
        invoice_updated.disconnect(spoil)
        invoice_updated.disconnect(look)
    assert seen == [("FA1", "FA1", (None, "FA1"))]
    assert Invoice.objects.get().number == "FA1"


@pytest.mark.django_db
def test_receivers_are_retried_after_the_project_has_deleted_the_row(post):
    seen = []

    def fail(instance, **kwargs):
        seen.append(instance)
        raise RuntimeError

    def look(instance, **kwargs):
        seen.append(instance)
        raise RuntimeError

    for receiver in (fail, look):
        customer_updated.connect(receiver)
    try:
        post(body_of("CustomerUpdated"))
        Customer.objects.all().delete()
        process_again(WebhookEvent.objects.get())
    finally:
        for receiver in (fail, look):
            customer_updated.disconnect(receiver)
    assert [instance is None for instance in seen] == [False, False, True, True]


class Deployments(RuleBasedStateMachine):
    """Connect, disconnect, reorder and wrap receivers, between events that fail and are retried.

    The model is a set per event: the receivers that have handled it. A receiver is a partial, a
    closure, a method or a function, and changes its form with a deployment, but not its name.
    """

    RECEIVERS = ["mail", "crm", "erp", "audit"]

    def __init__(self):
        super().__init__()
        self.connected = {}
        self.failing = set()
        self.events = []
        self.expected = Counter()
        self.number = 0

    def forms(self, name):
        def act(event, **kwargs):
            Effect.objects.create(event=event.pk, receiver=name)
            if name in self.failing:
                raise RuntimeError(name)

        act.__module__, act.__qualname__ = "shop.receivers", name

        def other(act, **kwargs):
            return act(**kwargs)

        return [act, functools.partial(act, a=1), traced(act), hidden(act), lambda **kw: act(**kw)]

    def connect(self, name, form):
        """Connect a form of the receiver. Those that hide the function need a dispatch_uid."""
        receiver = self.forms(name)[form]
        uid = f"shop.receivers.{name}" if form >= 3 else None
        customer_updated.connect(receiver, weak=False, dispatch_uid=uid)
        self.connected[name] = receiver, uid

    def disconnect(self, name):
        receiver, uid = self.connected.pop(name)
        assert customer_updated.disconnect(receiver, dispatch_uid=uid)

    @rule(
        order=st.permutations(RECEIVERS),
        kept=st.sets(st.sampled_from(RECEIVERS)),
        form=st.lists(st.integers(0, 4), min_size=4, max_size=4),
    )
    def deploy(self, order, kept, form):
        for name in [*self.connected]:
            self.disconnect(name)
        for name in order:
            if name in kept:
                self.connect(name, form[self.RECEIVERS.index(name)])

    @rule(names=st.sets(st.sampled_from(RECEIVERS)))
    def fail(self, names):
        self.failing = names

    @rule(customer=st.integers(1, 2))
    def receive(self, customer):
        self.number += 1
        body = body_of("CustomerUpdated", id=customer, phone=str(self.number))
        event = WebhookEvent.from_delivery(body, "default", {})
        WebhookEvent.objects.store(event)
        self.events.append(event.pk)
        self.attempt(lambda: process(event))

    @precondition(lambda self: self.events)
    @rule()
    def retry(self):
        WebhookEvent.objects.update(next_attempt_at=None)
        for pk in self.events:
            self.attempt(lambda pk=pk: process(WebhookEvent.objects.get(pk=pk)))

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def process_again(self, data):
        pk = data.draw(st.sampled_from(self.events))
        self.attempt(lambda: process_again(WebhookEvent.objects.get(pk=pk)))

    def attempt(self, act):
        """Expect that each attempted event is handled once by those that are there and don't fail."""
        before = dict(WebhookEvent.objects.values_list("pk", "attempts"))
        act()
        for event in WebhookEvent.objects.all():
            if event.attempts > before[event.pk]:
                for name in self.connected.keys() - self.failing:
                    self.expected[event.pk, name] = 1

    @invariant()
    def each_effect_is_there_exactly_once(self):
        effects = Counter(Effect.objects.values_list("event", "receiver"))
        assert effects == self.expected
        runs = ReceiverRun.objects.values_list("event_id", "receiver")
        assert {(pk, name.removeprefix("shop.receivers.")) for pk, name in runs} == {*effects}

    @invariant()
    def an_event_is_settled_once_nobody_fails(self):
        for event in WebhookEvent.objects.filter(status=Status.PROCESSED):
            assert event.is_settled

    def teardown(self):
        for name in [*self.connected]:
            self.disconnect(name)
        Effect.objects.all().delete()
        WebhookEvent.objects.all().delete()
        Customer.with_deleted.all().delete()


@pytest.mark.no_cover
@pytest.mark.django_db
@pytest.mark.parametrize("is_traced", [False, True])
def test_deployments_call_nobody_twice_and_leave_nobody_out(is_traced, request, settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"MAX_ATTEMPTS": 1000}
    if is_traced:
        request.getfixturevalue("trace")
    logging.getLogger("django_altoviz").setLevel(logging.CRITICAL)
    try:
        run_state_machine_as_test(
            Deployments, settings=profile(max_examples=examples(40), stateful_step_count=15)
        )
    finally:
        logging.getLogger("django_altoviz").setLevel(logging.NOTSET)
