"""Prism, which knows the official description of the API and nothing of this project."""

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
    """Start Prism with these arguments, and give the URL where it listens.

    With ``--errors`` it answers with an error where something is not as described; without, it only
    says so in a header.
    """
    if not DESCRIPTION.exists():
        pytest.skip("../shared/altoviz/openapi.yaml, the official description, is not here")
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
