"""Compare django-altoviz with bare Django views and its peers: ``python benchmarks/run.py --help``.

Create a separate virtual environment that has the peers, and run the benchmark in it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.measuring import environment  # noqa: E402

if __name__ == "__main__":
    python = str(environment.ensure())
    command = [python, "-m", "benchmarks.measuring", *sys.argv[1:]]
    os.execve(python, command, os.environ | {"PYTHONPATH": str(ROOT)})
