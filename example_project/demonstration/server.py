"""Run the example project's development server in a separate process."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import requests

HOST = "127.0.0.1"
PROJECT = Path(__file__).resolve().parent.parent
# Generous, because the first start on a slow machine compiles everything.
START_SECONDS = 60


class ServerFailed(Exception):
    """The server did not start, or it does not answer as it should."""


def free_port(wanted: int = 0) -> int:
    """Return the wanted port, or any free one if it is 0.

    Raises:
        ServerFailed: the port is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            raise ServerFailed(f"Port {wanted} is in use: {error}") from error
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(port: int, output: IO[str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Start the server, yield its process once it answers, and stop it in any case.

    Raises:
        ServerFailed: the server does not start.
    """
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"{HOST}:{port}"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=output, stderr=output)
    try:
        _wait_for(process, f"http://{HOST}:{port}/")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            raise ServerFailed(f"The server exited with code {process.returncode}.")
        try:
            requests.get(url, timeout=5).raise_for_status()
        except requests.ConnectionError:
            time.sleep(0.1)
        except requests.RequestException as error:
            raise ServerFailed(f"The server answered with an error: {error}") from error
        else:
            return
    raise ServerFailed(f"The server did not answer within {START_SECONDS} seconds.")
