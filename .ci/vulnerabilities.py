"""Ask pip-audit for known vulnerabilities of the packages in a folder.

Fails if there is one. If no service can be asked, it says "skipped: no vulnerability service", and does
not fail. ``PIP_AUDIT_VULNERABILITY_SERVICE`` and ``PIP_AUDIT_OSV_URL`` name another service.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

# Not on the package index before its first release, and not what is audited here.
OWN = "django-altoviz"
SKIPPED = "skipped: no vulnerability service"
# What pip-audit writes if nothing answers, or only a proxy does.
UNREACHABLE = re.compile(
    r"ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Could not connect|5\d\d Server Error"
)


def verdict(output: str, errors: str) -> tuple[bool, str]:
    """Return False if something is wrong, and what to say, for what pip-audit has written."""
    try:
        packages = json.loads(output)["dependencies"]
    except ValueError:
        reason = errors.strip().rpartition("\n")[2]
        is_unreachable = UNREACHABLE.search(errors) is not None
        return is_unreachable, f"{SKIPPED} ({reason})" if is_unreachable else errors
    others = [each for each in packages if each["name"] != OWN]
    asked = [each for each in others if "skip_reason" not in each]
    if not asked:
        return True, f"{SKIPPED} (it knows none of {len(others)} packages)"
    found = [
        f"{each['name']} {each['version']}: {one['id']}, fixed in {one['fix_versions'] or 'no version'}"
        for each in asked
        for one in each["vulns"]
    ]
    unknown = [f"not audited: {each['skip_reason']}" for each in others if each not in asked]
    summary = f"{len(asked)} packages, {len(found)} known vulnerabilities"
    return not found, "\n".join([*found, *unknown, summary])


def main(folder: str) -> int:
    command = [sys.executable, "-m", "pip_audit", "--path", folder]
    done = subprocess.run(
        [*command, "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        check=False,
        text=True,
    )
    is_good, told = verdict(done.stdout, done.stderr)
    print(told, flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
