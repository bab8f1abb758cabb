"""Chance that a seed decides, so that a run can be repeated."""

from __future__ import annotations

import random


def chance_of(seed: str, *names: object) -> float:
    """A number of 0 to 1 for what is named so, whoever asks and however often.

    Not from a checksum: those of similar names are similar, and with some seeds no name at all
    has a small one.
    """
    return random.Random(" ".join(map(str, (seed, *names)))).random()
