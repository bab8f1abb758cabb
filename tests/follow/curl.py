"""A stand-in for curl, with the options that the pages use, on machines that do not have it."""

from __future__ import annotations

import argparse
import sys
import urllib.request
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-X", "--request", default="GET")
    parser.add_argument("-d", "--data")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-o", "--output", default="/dev/stdout")
    options = parser.parse_args()
    data = options.data.encode() if options.data is not None else None
    request = urllib.request.Request(options.url, data, method=options.request)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        Path(options.output).write_bytes(answer.read())


if __name__ == "__main__":
    sys.exit(main())
