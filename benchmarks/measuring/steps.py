"""Break down the time of a request, in the site's own process and without a network.

``python -m benchmarks.measuring.steps deferred 300`` prints JSON: the time of each SQL statement,
the time between statements, and the share of each layer of code.
"""

from __future__ import annotations

import cProfile
import io
import itertools
import json
import pstats
import re
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection

from benchmarks.measuring.deliveries import OBJECTS
from benchmarks.measuring.load import Delivery
from benchmarks.measuring.targets import BY_NAME

_STATEMENT = re.compile(
    r"(INSERT INTO|UPDATE|DELETE FROM|SELECT|BEGIN|SAVEPOINT|RELEASE SAVEPOINT|WITH)\b"
    r'(?:.*?FROM)??\s*(?:"?(\w+)"?)?',
    re.DOTALL,
)
_WRITES = ("INSERT", "UPDATE", "DELETE", "WITH")
_FROM = re.compile(r'\bFROM "?(\w+)')
_LAYERS = [
    ("database driver", re.compile(r"sqlite3|psycopg|\bcommit\b")),
    ("Django: the ORM", re.compile(r"/django/db/")),
    ("Django: the rest", re.compile(r"/django/")),
    ("django-altoviz", re.compile(r"/django_altoviz/")),
    ("this benchmark", re.compile(r"/benchmarks/")),
]


class Timeline:
    """SQL statements with their start and end times, and the number of commits."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.entries: list[tuple[str, float, float]] = []
        self.commits = 0

    def timed(self, name: str, call: Callable[[], Any]) -> Any:
        is_alone = not connection.in_atomic_block and name.startswith(_WRITES)
        self.commits += is_alone or name == "COMMIT"
        began = time.perf_counter()
        try:
            return call()
        finally:
            self.entries.append((name, began, time.perf_counter()))

    @property
    def statements(self) -> int:
        """The number of statements. Each commit implies a BEGIN, which some drivers send unseen."""
        names = [name for name, *_ in self.entries]
        return len(names) + names.count("COMMIT") - names.count("BEGIN")

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return self.timed(_name(sql), lambda: execute(sql, params, many, context))


def _name(sql: str) -> str:
    words = _STATEMENT.match(sql.strip())
    if not words:
        return sql.split()[0]
    verb = words[1].split()[0]
    if verb in ("SELECT", "WITH"):
        table = _FROM.search(sql)
        return f"{verb} {table[1]}" if table else verb
    return f"{verb} {words[2]}" if words[2] and verb in ("INSERT", "UPDATE", "DELETE") else verb


@contextmanager
def observed() -> Iterator[Timeline]:
    """Yield a timeline of the statements in the block, COMMIT included."""
    wrapper: Any = connection  # _commit is private, so django-stubs does not know it
    timeline, commit = Timeline(), wrapper._commit
    wrapper._commit = lambda: timeline.timed("COMMIT", commit)
    try:
        with connection.execute_wrapper(timeline):
            yield timeline
    finally:
        wrapper._commit = commit


def call(application: WSGIHandler, delivery: Delivery) -> None:
    head, _, body = delivery.request.partition(b"\r\n\r\n")
    request, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": request.split()[1],
        "SCRIPT_NAME": "",
        "SERVER_NAME": headers["Host"],
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": headers["Host"],
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "CONTENT_TYPE": headers.pop("Content-Type"),
        "CONTENT_LENGTH": headers.pop("Content-Length"),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
    statuses: list[str] = []
    begin: Any = lambda status, *_: statuses.append(status)  # noqa: E731
    response = application(environ, begin)
    response.close()  # as a server does; it sends the signals at the end of a request
    assert statuses == ["200 OK"], statuses


def measure(name: str, requests: int) -> dict[str, Any]:
    """Return the figures of a target, each the median over that many requests."""
    application, load = get_wsgi_application(), BY_NAME[name].load()
    for delivery in itertools.islice(load, OBJECTS + 100):
        call(application, delivery)
    wall, cpu = [], []
    for delivery in itertools.islice(load, requests):
        began, cpu_began = time.perf_counter(), time.thread_time()
        call(application, delivery)
        wall.append(time.perf_counter() - began)
        cpu.append(time.thread_time() - cpu_began)
    return {
        "wall": statistics.median(wall),
        "cpu": statistics.median(cpu),
        **_steps(application, itertools.islice(load, requests)),
        "layers": _layers(application, itertools.islice(load, requests)),
    }


def _steps(application: WSGIHandler, load: Iterator[Delivery]) -> dict[str, Any]:
    """Return the most frequent sequence of statements, with the time of each and before each."""
    sequences: dict[tuple[str, ...], list[list[float]]] = defaultdict(list)
    counts: dict[tuple[str, ...], dict[str, int]] = {}
    for delivery in load:
        with observed() as timeline:
            call(application, delivery)
        ended, last, times = time.perf_counter(), timeline.began, []
        for _name, began, done in timeline.entries:
            times += [began - last, done - began]
            last = done
        sequence = tuple(name for name, *_ in timeline.entries)
        sequences[sequence].append([*times, ended - last])
        counts[sequence] = {"statements": timeline.statements, "commits": timeline.commits}
    names, samples = max(sequences.items(), key=lambda item: len(item[1]))
    medians = [statistics.median(column) for column in zip(*samples, strict=True)]
    steps = [
        {"statement": name, "before": medians[2 * index], "seconds": medians[2 * index + 1]}
        for index, name in enumerate(names)
    ]
    steps.append({"statement": "(the answer)", "before": medians[-1], "seconds": 0.0})
    return {"steps": steps, **counts[names]}


def _layers(application: WSGIHandler, load: Iterator[Delivery]) -> dict[str, float]:
    """Return each layer's share of the time. Built-in functions count for their callers."""
    profile = cProfile.Profile()
    for delivery in load:
        profile.runcall(call, application, delivery)
    shares: Counter[str] = Counter()
    stats: Any = pstats.Stats(profile)
    for (file, _line, function), (_cc, _nc, own, _all, callers) in stats.stats.items():
        if file == "~" and not _LAYERS[0][1].search(function):
            for (caller, *_), (_cc, _nc, part, _all) in callers.items():
                shares[_layer(caller)] += part
        else:
            shares[_layer(f"{file} {function}")] += own
    total = shares.total()
    return {layer: seconds / total for layer, seconds in shares.most_common()}


def _layer(where: str) -> str:
    return next((name for name, pattern in _LAYERS if pattern.search(where)), "Python's library")


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
