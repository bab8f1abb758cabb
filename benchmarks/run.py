"""Measure django-altoviz beside bare Django views and its peers: ``python benchmarks/run.py --help``.

Makes a virtual environment of its own, with the peers in it, and goes on there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.measuring import environment  # noqa: E402

if __name__ == "__main__":
    python = str(environment.made())
    command = [python, "-m", "benchmarks.measuring", *sys.argv[1:]]
    os.execve(python, command, os.environ | {"PYTHONPATH": str(ROOT)})
