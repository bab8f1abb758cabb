"""A test run that is killed leaves no process behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dispatchers.workers import eventually
from tests.processes import Process, run

ROOT = Path(__file__).resolve().parent.parent

# A test like those of the example project, which starts a server that has a child of its own.
TEST = """
import sys, time
from tests.processes import Process

SERVER = '''
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
with open("pids.part", "w") as pids:
    print(os.getpid(), child.pid, file=pids)
os.rename("pids.part", "pids")
time.sleep(300)
'''

def test_it():
    with Process([sys.executable, "-c", SERVER]):
        time.sleep(300)
"""


#: A PostgreSQL that pg_ctl starts is in no group of a test's.
EXCEPT = {"processes.py", "test_processes.py", "test_power_cut.py", "__main__.py"}


def test_all_tests_start_their_processes_this_way():
    starters = [
        path.name
        for path in (ROOT / "tests").rglob("*.py")
        if "node_modules" not in path.parts
        and re.search(r"subprocess\.(run|Popen|call|check_\w+)\(", path.read_text())
    ]
    assert {*starters} == EXCEPT


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
@pytest.mark.parametrize("workers", ["-p no:xdist", "-n 2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_test_run_leaves_no_process(tmp_path, number, workers):
    (tmp_path / "test_it.py").write_text(TEST)
    (tmp_path / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "-p", "no:django", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("PYTEST_ADDOPTS", None)
    with Process(
        [*command, *workers.split(), "test_it.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as pytest_process:
        assert eventually((tmp_path / "pids").exists)
        pids = (tmp_path / "pids").read_text().split()
        assert len(pids) == 2
        assert all(map(is_running, pids))
        pytest_process.send_signal(number)
        assert eventually(lambda: not any(map(is_running, pids)))


def test_a_process_that_does_not_end_in_time_is_killed_with_its_children():
    command = ["/bin/sh", "-c", "sleep 300 & echo $!; wait"]
    with pytest.raises(subprocess.TimeoutExpired):
        run(command, timeout=0.5)
    with Process(command, stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        os.kill(child, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    assert eventually(lambda: not is_running(child))
