"""Random decisions that depend only on a seed, so that a run can be repeated."""

from __future__ import annotations

import random


def chance_of(seed: str, *names: object) -> float:
    """Return a number from 0 to 1 that depends only on the seed and the names.

    A checksum would not do: similar names have similar checksums, and with some seeds none of the
    names has a small one.
    """
    return random.Random(" ".join(map(str, (seed, *names)))).random()
