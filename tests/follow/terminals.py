"""Terminals that a reader types into, and the servers that run in them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.processes import Process, run

from .expectations import Ids, difference
from .pages import NotAsWritten

#: Commands that run until they are stopped.
_SERVERS = re.compile(r"manage\.py (runserver|altoviz_fake)\b")
_COMMAND_SECONDS = 300
_OUTPUT_SECONDS = 60
_POLL_INTERVAL = 0.1


def is_server(command: str) -> bool:
    return bool(_SERVERS.search(command))


class Terminal:
    """A shell: directories and variables stay from one command to the next."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment

    def type(self, command: str) -> str:
        """Run the command to its end, and return what it prints.

        Raises:
            NotAsWritten: the command failed.
        """
        with tempfile.TemporaryDirectory() as state:
            after = f"status=$?; env -0 >{state}/env; pwd >{state}/pwd; exit $status"
            done = run(
                ["bash", "-c", f"{command}\n{after}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                timeout=_COMMAND_SECONDS,
            )
            if done.returncode:
                raise NotAsWritten(f"$ {command}\nexit code {done.returncode}\n{done.stdout}")
            variables = Path(state, "env").read_text().rstrip("\0").split("\0")
            self.environment = dict(variable.split("=", 1) for variable in variables)
            self.folder = Path(Path(state, "pwd").read_text().removesuffix("\n"))
        return done.stdout


class Server:
    """A command that runs in a terminal until it is stopped, with what it has printed."""

    def __init__(self, command: str, terminal: Terminal) -> None:
        self.command, self.terminal = command.rstrip("& "), terminal
        self.is_in_background = command.endswith("&")
        self._read = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (``stop`` closes it)
        self._process = Process(
            ["bash", "-c", f"exec {self.command}"],
            cwd=terminal.folder,
            env=terminal.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
        )

    @property
    def name(self) -> str:
        found = _SERVERS.search(self.command)
        return found[1] if found else self.command

    def unread(self) -> str:
        """Return what was printed after the last lines that a page has shown."""
        return self._printed()[self._read :]

    def prints(self, shown: str, ids: Ids) -> bool:
        """Return True if the server has printed these lines, and mark them as read."""
        end = ids.end_in(shown, self.unread())
        if end is None:
            return False
        self._read += end
        self.wait_until_it_answers()
        return True

    def wait_until_it_answers(self) -> None:
        """Wait for the port: a server says that it is starting just before it listens.

        Raises:
            NotAsWritten: nothing listens.
        """
        if not until(lambda: any(map(is_busy, self._ports()))):
            raise NotAsWritten(f"{self.name} does not answer:\n{self._printed()}")

    def _ports(self) -> list[int]:
        return [int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", self._printed())][:1]

    def _printed(self) -> str:
        """Return everything that was printed, up to now."""
        length = os.fstat(self._file.fileno()).st_size
        return os.pread(self._file.fileno(), length, 0).decode(errors="replace")

    def stop(self) -> None:
        """Press Control-C: the terminal sends SIGINT to all processes of the command."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.end()
        self._file.close()


def until(is_true: Callable[[], bool]) -> bool:
    """Return True as soon as it is true, or False if it does not become so in time."""
    give_up_at = time.monotonic() + _OUTPUT_SECONDS
    while not is_true():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(_POLL_INTERVAL)
    return True


def wait_for_lines(servers: list[Server], shown: str, ids: Ids) -> None:
    """Wait until one of the servers has printed these lines.

    Raises:
        NotAsWritten: none of them does.
    """
    if not until(lambda: any(server.prints(shown, ids) for server in servers)):
        printed = "\n".join(f"[{server.name}]\n{server.unread()}" for server in servers)
        raise difference("No server has printed this.", shown, printed)


def is_busy(port: int) -> bool:
    """Return True if something listens on this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def commands_in(code: str) -> list[tuple[str, str]]:
    """Return each command of a console block with the output that is shown below it."""
    parts = re.split(r"^\$ ", code, flags=re.MULTILINE)
    if parts[0].strip():
        raise NotAsWritten(f"The block does not begin with a command: {parts[0]}")
    found = []
    for part in parts[1:]:
        typed = re.match(r"(?:.*\\\n)*.*", part)[0]
        found.append((typed, part[len(typed) :].strip("\n")))
    return found
