"""How a command that goes on for long hears that it is to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_signals(handler: Callable[..., object], *numbers: signal.Signals) -> Iterator[None]:
    """Within the block ``handler`` is called when one of the signals comes.

    Only a program's main thread may ask for signals; elsewhere the block runs without.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler_before in former.items():
            signal.signal(number, handler_before)
