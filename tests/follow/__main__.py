"""Build the wheel, and follow the tutorial and the READMEs with it."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .pages import NotAsWritten
from .reader import Reader
from .terminals import is_busy

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["docs/tutorial.rst", "README.rst", "README.fr.rst"]
_FOREIGN = re.compile(r"(DJANGO|ALTOVIZ|PYTEST|COV|VIRTUAL_ENV|PYTHONPATH|PYTHONHOME|MAKE|MFLAGS)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.follow", description=__doc__)
    parser.add_argument("pages", nargs="*", type=Path, default=[ROOT / page for page in PAGES])
    parser.add_argument("--wheel", type=Path, help="The wheel of the package. Default: build it.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel.resolve() if options.wheel else build_wheel(Path(folder))
        environment = environment_with(wheel, Path(folder))
        return max([follow(page.resolve(), environment) for page in options.pages])


def build_wheel(folder: Path) -> Path:
    """Build the wheel from a copy, because a folder ``build`` would leave old modules in it."""
    copy = folder / "source"
    left_out = shutil.ignore_patterns(".*", "build", "dist", "node_modules", "*.sqlite3*", "tests")
    shutil.copytree(ROOT, copy, ignore=left_out)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder]
    subprocess.run([*command, copy], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment_with(wheel: Path, folder: Path) -> dict[str, str]:
    """Return the variables of a fresh terminal, in which pip takes the package from the wheel."""
    constraints = folder / "constraints.txt"
    constraints.write_text(f"django-altoviz @ {wheel.as_uri()}\n")
    programs = folder / "bin"
    programs.mkdir()
    # Outside of any virtual environment: the page creates its own.
    programs.joinpath("python3").write_text(f'#!/bin/sh\nexec {base_python()} "$@"\n')
    if shutil.which("curl") is None:
        stand_in = Path(__file__).with_name("curl.py")
        programs.joinpath("curl").write_text(f'#!/bin/sh\nexec {base_python()} {stand_in} "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
    return kept | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PIP_CONSTRAINT": str(constraints),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
    }


def base_python() -> str:
    return os.path.realpath(sys.executable)


def follow(page: Path, environment: dict[str, str]) -> int:
    """Follow one page, say what became of it, and return the exit code."""
    start, name = time.monotonic(), page.relative_to(ROOT) if ROOT in page.parents else page
    ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", page.read_text())}
    busy = sorted(port for port in ports if is_busy(port))
    if busy:
        print(f"{name} needs port {busy[0]}, but another program listens there.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(Path(folder), environment)
        try:
            reader.follow(page)
        except NotAsWritten as error:
            print(error, file=sys.stderr)
            return 1
    seconds = time.monotonic() - start
    print(f"{name}: {reader.followed} blocks, {reader.browser.opened} links, {seconds:.0f} s.")
    for reason in reader.not_followed:
        print(f"  not followed: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
