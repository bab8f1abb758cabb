"""Run programs that start processes of their own."""

from __future__ import annotations

import contextlib
import subprocess


def run(command, *, timeout, **options):
    """Run the command as ``subprocess.run`` does, but never leave its child processes behind.

    After the timeout, or if the test is interrupted, ``subprocess.run`` kills the command, which
    then can't stop its children. This function terminates it first.
    """
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", **options
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
