"""Disturb the system while it works. The seed decides the disturbances and their times."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

from tests.chaos.databases import MariaDB, PostgreSQL, SQLite
from tests.chaos.servers import Server
from tests.processes import run

#: Seconds between two disturbances.
INTERVAL = (0.4, 1.6)
#: Seconds for which a process is frozen: longer than the lease, which is two.
FROZEN = 2.5


class Killer:
    """Thread that disturbs the system until it is stopped, and records each disturbance."""

    def __init__(
        self, servers: list[Server], database: SQLite | PostgreSQL | MariaDB, seed: str
    ) -> None:
        self.servers, self.database = servers, database
        self.chance = random.Random(f"{seed} killer")
        #: The time and the name of each disturbance.
        self.history: list[tuple[float, str]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._thread.join()
        for server in self.servers:
            server.signal_group(signal.SIGCONT)

    @property
    def done(self) -> Counter[str]:
        return Counter(what for _at, what in self.history)

    def _note(self, what: str) -> None:
        self.history.append((time.monotonic(), what))

    def _run(self) -> None:
        while not self._stopping.wait(self.chance.uniform(*INTERVAL)):
            done = len(self.history)
            # A disturbance may find nothing to disturb. Choose until one does.
            while len(self.history) == done:
                self.chance.choice(self._disturbances())()

    def _disturbances(self) -> list[Callable[[], None]]:
        disturbances = [self.break_connections]
        for server in self.servers:
            disturbances.append(lambda any_of_them=server: self.freeze(any_of_them))
            if server.name == "web":
                disturbances += [lambda web=server: self.kill_worker_of(web)] * 2
                disturbances.append(lambda web=server: self.restart(web))
            elif server.name == "broker":
                disturbances.append(lambda broker=server: self.kill(broker))
                disturbances.append(lambda broker=server: self.fill(broker))
            else:
                disturbances.append(lambda worker=server: self.kill_worker_of(worker))
                disturbances.append(lambda worker=server: self.kill(worker))
                disturbances.append(lambda worker=server: self.terminate(worker))
        return disturbances

    def break_connections(self) -> None:
        for _ in range(self.database.break_connections(self.chance)):
            self._note("database connection broken")

    def kill_worker_of(self, server: Server) -> None:
        if server.kill_a_child(self.chance):
            self._note(f"{server.name}: a worker killed")

    def freeze(self, server: Server) -> None:
        """Stop the server for longer than its leases last, then let it continue."""
        server.signal_group(signal.SIGSTOP)
        threading.Timer(FROZEN, server.signal_group, [signal.SIGCONT]).start()
        self._note(f"{server.name}: frozen")

    def fill(self, broker: Server) -> None:
        """Leave the broker without memory for a while: it refuses every message."""
        if self._limit_memory(broker, "1"):
            threading.Timer(FROZEN, self._limit_memory, [broker, "0"]).start()
            self._note(f"{broker.name}: full")

    def _limit_memory(self, broker: Server, most: str) -> bool:
        port = broker.command[broker.command.index("--port") + 1]
        command = ["redis-cli", "-p", port, "CONFIG", "SET", "maxmemory", most]
        return run(command, timeout=10).returncode == 0

    def kill(self, server: Server) -> None:
        server.kill_group()
        self._note(f"{server.name}: killed")

    def terminate(self, server: Server) -> None:
        server.signal(signal.SIGTERM)
        self._note(f"{server.name}: terminated")

    def restart(self, server: Server) -> None:
        server.signal(signal.SIGHUP)
        self._note(f"{server.name}: reloaded")
