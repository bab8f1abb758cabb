"""Prism: an independent judge that knows only the official description of the API."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.processes import Process

HERE = Path(__file__).parent
PRISM = HERE / "node_modules" / ".bin" / "prism"
DESCRIPTION = HERE.parents[2] / "shared" / "altoviz" / "openapi.yaml"


@pytest.fixture(scope="session")
def prism(tmp_path_factory):
    """Return a context manager that runs Prism with the given arguments and yields its URL.

    With ``--errors``, Prism answers with an error if a request or an answer violates the
    description. Without it, Prism lists the violations in a header.
    """
    if not DESCRIPTION.exists():
        pytest.skip("../shared/altoviz/openapi.yaml, the official description, is missing")
    if not PRISM.exists():
        pytest.skip("Prism is not installed: npm install --prefix tests/contract")

    @contextlib.contextmanager
    def start(mode, *arguments):
        log = tmp_path_factory.mktemp("prism") / "log"
        with log.open("w") as output:
            command = [PRISM, mode, "--host", "127.0.0.1", "--port", "0", DESCRIPTION, *arguments]
            with Process(command, stdout=output, stderr=subprocess.STDOUT) as process:
                yield wait_for(process, log)

    return start


def wait_for(process, log):
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at and process.poll() is None:
        if listening := re.search(r"listening on (http://\S+)", log.read_text()):
            return listening[1]
        time.sleep(0.1)
    raise RuntimeError(log.read_text())
