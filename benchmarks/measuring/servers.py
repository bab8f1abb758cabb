"""Serve the sites, each with gunicorn and the same settings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring.environment import ROOT
from benchmarks.measuring.load import HOST
from benchmarks.measuring.processes import children_of, seconds_of

WORKERS = 2
_START_SECONDS = 60


class ServerFailed(Exception):
    """A process of the benchmark failed or does not do its work."""


def environment_of(site: str, settings: dict[str, str]) -> dict[str, str]:
    """Return the environment variables of a process for a site."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BENCH_SITE", "BENCH_D", "BENCH_NAME", "DJANGO_", "ALTOVIZ_"))
    }
    return inherited | {
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "benchmarks.sites.settings",
        "BENCH_SITE": site,
        **settings,
    }


def manage(environment: dict[str, str], *arguments: str) -> None:
    """Run a management command and wait for its end."""
    done = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise ServerFailed(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A running site."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def cpu_seconds(self) -> float:
        """Return the CPU time that the workers have used so far."""
        return sum(seconds_of(pid) for pid in children_of(self.process.pid))


@contextmanager
def serving(environment: dict[str, str], log: Path) -> Iterator[Server]:
    """Start a site, yield once it answers, and stop its processes at the end."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "benchmarks.sites.wsgi"]
    command += ["--workers", str(WORKERS), "--bind", f"{HOST}:{port}", "--log-level", "warning"]
    with log.open("ab") as output, running(command, environment, output.fileno()) as process:
        _wait_for(process, port, log)
        yield Server(process, port)


@contextmanager
def running(
    command: list[str], environment: dict[str, str], output: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, and stop it at the end in any case."""
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up_at = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection((HOST, port), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if connection.recv(16).startswith(b"HTTP/1."):
                    return
        except OSError:
            time.sleep(0.1)
    raise ServerFailed(f"The server did not start: {log.read_text()[-2000:]}")
