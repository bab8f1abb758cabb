"""The benchmark's own virtual environment: the project, the peers, a server, a driver."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
VENV = BENCHMARKS / ".venv"
REQUIREMENTS = BENCHMARKS / "requirements.txt"
PYTHON = VENV / "bin" / "python"

_OLDEST_PYTHON = (3, 11)
#: What the figures depend on, to be told with them.
PACKAGES = ["Django", "gunicorn", "psycopg", "dj-stripe", "stripe", "django-github-app"]


def made() -> Path:
    """The environment's Python. It is made where it is missing, or is of other versions."""
    needed = [sys.version.encode(), REQUIREMENTS.read_bytes(), (ROOT / "setup.cfg").read_bytes()]
    made_of, stamp = hashlib.sha256(b"\0".join(needed)).hexdigest(), VENV / "made-of"
    if not stamp.exists() or stamp.read_text() != made_of:
        _make()
        stamp.write_text(made_of)
    return PYTHON


def _make() -> None:
    if sys.version_info < _OLDEST_PYTHON:
        oldest = ".".join(map(str, _OLDEST_PYTHON))
        raise SystemExit(f"The peers need Python {oldest} or later; {sys.executable} is older.")
    print(f"Making {VENV.relative_to(ROOT)} ...", flush=True)
    venv.create(VENV, clear=True, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    needed = ["--requirement", str(REQUIREMENTS), "--editable", str(ROOT)]
    if subprocess.run([*pip, *needed]).returncode:
        raise SystemExit("What is compared could not be installed.")


def installed(package: str) -> str | None:
    """The version of a package, or ``None``."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    found = {package: installed(package) for package in PACKAGES}
    python = ".".join(map(str, sys.version_info[:3]))
    return {"Python": python, **{name: known for name, known in found.items() if known}}
