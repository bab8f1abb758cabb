"""Processes that tests start. Nothing of them is left, whatever ends the test run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

#: Reads one line, or kills the group if the pipe closes without one.
GUARD = 'read -r line || kill -s KILL -- "-$0"'


class Process(subprocess.Popen):
    """A process in a group of its own, with a guard that kills the group if the test run is killed.

    The guard waits at a pipe. Its other end closes with the test run, even after SIGKILL.
    """

    def __init__(self, command, **options):
        super().__init__(command, start_new_session=True, **options)
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, str(self.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __exit__(self, *exception):
        self.end()
        super().__exit__(*exception)

    def end(self):
        """End the process in good order, and what it leaves of its group at once."""
        self.terminate()
        try:
            self.wait(30)
        finally:
            self.kill_group()

    def kill_group(self):
        """Kill the process and all of its children, and dismiss the guard."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        if self._guard.poll() is None:
            self._guard.communicate(b"\n")


def run(command, *, timeout=120, check=False, **options):
    """Run a process to its end, as ``subprocess.run`` does, and return what it wrote."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"} | options
    with Process(command, **options) as process:
        output, errors = process.communicate(timeout=timeout)
    done = subprocess.CompletedProcess(command, process.returncode, output, errors)
    if check:
        done.check_returncode()
    return done
