"""Virtual environment of the benchmark: the project, its peers, a server, a database driver."""

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
#: Packages that the figures depend on, for the report.
PACKAGES = ["Django", "gunicorn", "psycopg", "dj-stripe", "stripe", "django-github-app"]


def ensure() -> Path:
    """Return the environment's Python. Create the environment if it is missing or outdated."""
    needed = [sys.version.encode(), REQUIREMENTS.read_bytes(), (ROOT / "setup.cfg").read_bytes()]
    digest, stamp = hashlib.sha256(b"\0".join(needed)).hexdigest(), VENV / "made-of"
    if not stamp.exists() or stamp.read_text() != digest:
        _create()
        stamp.write_text(digest)
    return PYTHON


def _create() -> None:
    if sys.version_info < _OLDEST_PYTHON:
        oldest = ".".join(map(str, _OLDEST_PYTHON))
        raise SystemExit(f"The peers need Python {oldest} or later; {sys.executable} is older.")
    print(f"Creating {VENV.relative_to(ROOT)} ...", flush=True)
    venv.create(VENV, clear=True, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    needed = ["--requirement", str(REQUIREMENTS), "--editable", str(ROOT)]
    if subprocess.run([*pip, *needed]).returncode:
        raise SystemExit("The packages to compare could not be installed.")


def installed(package: str) -> str | None:
    """Return the version of a package, or ``None`` if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    found = {package: installed(package) for package in PACKAGES}
    python = ".".join(map(str, sys.version_info[:3]))
    return {"Python": python, **{name: known for name, known in found.items() if known}}
