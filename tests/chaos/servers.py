"""Processes of the system under test, and a supervisor that restarts those that end."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.processes import Process

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
#: Seconds between two looks of the supervisor.
RESTART = 0.3


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Server:
    """Process in its own process group with its children. Its output goes to a file."""

    def __init__(self, name: str, command: list[str], log: Path, environment: dict[str, str]):
        self.name, self.command = name, command
        self.environment = os.environ | environment
        self.log = (log / f"{name}.log").open("ab")
        self.starts = 0
        self._process: Process | None = None

    def start(self) -> None:
        self.starts += 1
        self._process = Process(
            self.command, cwd=ROOT, env=self.environment, stdout=self.log, stderr=self.log
        )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the process itself."""
        if self._process is not None and self.is_running:
            self._process.send_signal(number)

    def signal_group(self, number: int) -> None:
        """Send a signal to the process and all its children."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def kill_group(self) -> None:
        """Kill the process and all its children, as when a machine fails."""
        if self._process is not None:
            self._process.kill_group()

    def kill_a_child(self, chance: random.Random) -> bool:
        """Kill one of the workers. Return False if there is none at the moment."""
        children = self.children()
        if not children:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(children), signal.SIGKILL)
        return True

    def children(self) -> list[int]:
        if self._process is None:
            return []
        pid = self._process.pid
        with contextlib.suppress(OSError):
            return [
                int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            ]
        return []

    def stop(self) -> None:
        """Terminate the process, and kill it if it does not end."""
        self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(10)
        self.kill_group()
        self.log.close()


class Supervisor:
    """Start the servers, and restart each that ends, until the ``with`` block ends."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Supervisor:
        for server in self.servers:
            server.start()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._thread.join()
        # Stop in reverse order: the broker must outlive its users.
        for server in reversed(self.servers):
            server.stop()

    def _watch(self) -> None:
        while not self._stopping.wait(RESTART):
            for server in self.servers:
                if not server.is_running:
                    server.kill_group()  # children may have survived
                    server.start()


def wait_for_port(port: int, seconds: float = 30) -> None:
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)


def gunicorn(port: int, log: Path, environment: dict[str, str]) -> Server:
    command = [sys.executable, "-m", "gunicorn", "tests.chaos.project.wsgi", "--workers=2"]
    command += [f"--bind={HOST}:{port}", "--threads=2", "--graceful-timeout=5"]
    return Server("web", [*command, "--no-control-socket"], log, environment)


def uvicorn(port: int, log: Path, environment: dict[str, str]) -> Server:
    command = [sys.executable, "-m", "uvicorn", "tests.chaos.project.asgi:application"]
    command += [f"--port={port}", "--workers=2", "--log-level=warning"]
    return Server("web", command, log, environment)


def redis(port: int, log: Path) -> Server:
    """Return a Redis without persistence: when it dies, its messages are lost."""
    command = ["redis-server", f"--port {port}", f"--bind {HOST}", "--save ''", "--appendonly no"]
    return Server("broker", " ".join(command).replace("''", '""').split(), log, {})


def celery(number: int, log: Path, environment: dict[str, str]) -> Server:
    command = [sys.executable, "-m", "celery", "-A", "tests.chaos.project.celery", "worker"]
    command += ["--concurrency=2", f"--hostname=chaos{number}@%h", "--loglevel=WARNING"]
    command += ["--without-gossip", "--without-mingle"]
    return Server(f"worker{number}", command, log, environment)


def db_worker(number: int, log: Path, environment: dict[str, str]) -> Server:
    command = [sys.executable, "-m", "django", "db_worker", "--interval=0.1", "--no-reload"]
    return Server(f"worker{number}", [*command, "--no-startup-delay"], log, environment)


def safety_net(log: Path, environment: dict[str, str]) -> Server:
    command = [sys.executable, "-m", "django", "altoviz_process_events", "--watch"]
    return Server("net", [*command, "--interval=0.5"], log, environment)
