"""Handle signals in commands that run for a long time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

#: The exit code after Control-C or SIGTERM.
INTERRUPTED = 130


def interruptible() -> AbstractContextManager[None]:
    """Handle SIGTERM like Control-C during the block."""
    return on_signals(_interrupt, signal.SIGTERM)


def _interrupt(*args: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def on_signals(handler: Callable[..., object], *numbers: signal.Signals) -> Iterator[None]:
    """Call ``handler`` when one of the signals arrives during the block.

    Outside the main thread the block runs without a handler, because Python allows only the main
    thread to set one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous_handler in previous.items():
            signal.signal(number, previous_handler)
