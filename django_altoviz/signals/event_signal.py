"""A signal that knows its receivers by name."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from typing import Any

from asgiref.sync import async_to_sync
from django.dispatch import Signal
from django.dispatch.dispatcher import NONE_ID, _make_id  # type: ignore[attr-defined]

from django_altoviz.log import log_about
from django_altoviz.signals.names import (
    NamedReceiver,
    Receiver,
    ambiguous,
    name_of,
    numbered,
)


class EventSignal(Signal):
    """A signal whose receivers are called one at a time, each identified by a stable name.

    The name is what records that a receiver has handled an event: the ``dispatch_uid`` with which it
    was connected, or else the dotted path of its function.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        # The connections of Django with their names, by the id of the connection.
        self._names: dict[int, tuple[Any, str]] = {}
        self._naming = threading.RLock()
        self._warned: set[str] = set()

    def connect(
        self, receiver: Receiver, sender: Any = None, weak: bool = True, dispatch_uid: Any = None
    ) -> None:
        """Connect a receiver, as ``Signal.connect`` does, and remember its name."""
        with self._naming:
            # The name is taken here, before anything that patches Signal.connect wraps the receiver.
            before = [*self.receivers]
            super().connect(receiver, sender, weak, dispatch_uid)
            known = {id(connection): self._name_of(connection) for connection in before}
            name = name_of(receiver, dispatch_uid)
            self._names = {
                id(connection): (connection, known.get(id(connection), name))
                for connection in self.receivers
            }

    def named_receivers(self, sender: Any) -> list[tuple[str, Receiver]]:
        """Return the connected receivers in order, each with a unique name.

        Receivers that can't be told apart are numbered in the order of connection, with a warning.
        """
        registered = self._connected(sender)
        synchronous, asynchronous = self._live_receivers(sender)
        receivers = [each.receiver for each in registered]
        kinds = [False] * len(synchronous) + [True] * len(asynchronous)
        if kinds == [each.is_async for each in registered]:
            # Tracing libraries wrap the receivers here. Call them wrapped, under their own names.
            receivers = [*synchronous, *asynchronous]
        self._warn_of(ambiguous(registered))
        names = numbered(each.name for each in registered)
        return [
            (name, _uncancelled(receiver) if each.is_async else receiver)
            for name, receiver, each in zip(names, receivers, registered, strict=True)
        ]

    def ambiguous_names(self, sender: Any) -> list[str]:
        """Return the names that several different receivers share."""
        return ambiguous(self._connected(sender))

    def names_never_called(self, sender: Any) -> list[str]:
        """Return the names of the receivers that wait for another sender than this one."""
        sent = (NONE_ID, _make_id(sender))
        waiting = [each for each in [*self.receivers] if each[0][1] not in sent]
        return [self._name_of(each) for each in waiting if _receiver_of(each) is not None]

    def _connected(self, sender: Any) -> list[NamedReceiver]:
        """Return the receivers as they were connected, the synchronous ones first, as Django does."""
        found = []
        for connection in [*self.receivers]:
            (_receiver_id, sender_id), *_, is_async = connection
            receiver = _receiver_of(connection)
            if receiver is not None and sender_id in (NONE_ID, _make_id(sender)):
                found.append(NamedReceiver(self._name_of(connection), receiver, is_async))
        return sorted(found, key=lambda each: each.is_async)

    def _name_of(self, connection: Any) -> str:
        known, name = self._names.get(id(connection), (None, ""))
        if known is connection:
            return name
        # It was not connected by this class. A dispatch_uid takes the place of the receiver's id.
        return name_of(_receiver_of(connection), connection[0][0])

    def _warn_of(self, names: list[str]) -> None:
        for name in names:
            if name not in self._warned:
                self._warned.add(name)
                log_about().warning(
                    "Several receivers of %s have the name %s. Connect each with a dispatch_uid.",
                    self.name,
                    name,
                )


def _uncancelled(receiver: Receiver) -> Receiver:
    """Return a function that runs the coroutine to its end.

    Under ASGI, Django cancels what a request is waiting for when its client hangs up.
    """

    async def run(**arguments: Any) -> None:
        task = asyncio.ensure_future(receiver(**arguments))
        while not task.done():
            # A cancellation ends the waiting, but not the task. If the loop ends, the task does, too.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(task)
        await task

    return async_to_sync(run)


def _receiver_of(connection: Any) -> Any:
    """Return the receiver of one of Django's connections, or ``None`` if it no longer exists."""
    reference = connection[1]
    return reference() if isinstance(reference, weakref.ReferenceType) else reference
