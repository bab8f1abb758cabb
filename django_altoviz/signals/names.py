"""The names of receivers, by which "exactly once" is kept.

A name must not change when something wraps the receiver, or when others are connected before it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from types import MethodType
from typing import Any, NamedTuple

from django_altoviz.intake.envelopes import storable

Receiver = Callable[..., Any]

# The length of the column ReceiverRun.receiver.
_NAME_LENGTH = 255
# The longest text that is appended to a name: a number, and a business signal.
_LONGEST_SUFFIX = 30
# More wrappers than this are not unwrapped: an object may claim to wrap itself.
_DEEPEST_WRAPPING = 100


class NamedReceiver(NamedTuple):
    """A receiver as it was connected."""

    name: str
    receiver: Receiver
    is_async: bool


def name_of(receiver: Receiver, dispatch_uid: Any = None) -> str:
    """Return the ``dispatch_uid`` if it is a text, or else the dotted path of the receiver."""
    path = dispatch_uid if isinstance(dispatch_uid, str) else dotted_path(receiver)
    path = storable(path)
    if len(path) <= _NAME_LENGTH - _LONGEST_SUFFIX:
        return path
    digest = sha256(path.encode()).hexdigest()[:16]
    return f"{path[: _NAME_LENGTH - _LONGEST_SUFFIX - 17]}~{digest}"


def dotted_path(receiver: Receiver) -> str:
    """Return the dotted path of the function behind partials, decorators and bound methods.

    A method's path begins with the class of its object. An instance with ``__call__`` has the path of
    its class.
    """
    function: Any = receiver
    for _ in range(_DEEPEST_WRAPPING):
        if isinstance(function, MethodType):
            owner = function.__self__
            owner = owner if isinstance(owner, type) else type(owner)
            name = _attribute(function, "__name__")
            return f"{owner.__module__}.{owner.__qualname__}.{name}"
        inside = _inside(function)
        if inside is None:
            break
        function = inside
    module, name = _attribute(function, "__module__"), _attribute(function, "__qualname__")
    if isinstance(module, str) and isinstance(name, str):
        return f"{module}.{name}"
    return f"{type(function).__module__}.{type(function).__qualname__}"


def _inside(function: Any) -> Any:
    """Return what a partial or a decorated function calls, or ``None`` for any other function."""
    if isinstance(function, functools.partial):
        return function.func
    wrapped = _attribute(function, "__wrapped__")
    return wrapped if callable(wrapped) else None


def _attribute(value: Any, name: str) -> Any:
    # A receiver may be an object whose attributes are computed, or raise any exception.
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def ambiguous(registered: list[NamedReceiver]) -> list[str]:
    """Return the names that several different receivers share.

    The same receiver, connected twice, is called twice in any order.
    """
    by_name: dict[str, list[Receiver]] = {}
    for name, receiver, _is_async in registered:
        by_name.setdefault(name, []).append(receiver)
    return [
        name
        for name, (first, *others) in by_name.items()
        if any(other is not first and other != first for other in others)
    ]


def numbered(names: Iterable[str]) -> Iterator[str]:
    """Yield the names, each made unique by a number if it occurs again."""
    names = [*names]
    taken, seen = {*names}, set()
    for name in names:
        if name in seen:
            free = (f"{name}#{number}" for number in itertools.count(2))
            name = next(each for each in free if each not in taken)
            taken.add(name)
        seen.add(name)
        yield name
