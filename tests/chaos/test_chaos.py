"""The promises hold while processes and connections are killed at random.

``CHAOS=small`` is a short run, ``CHAOS=full`` a long one. ``CHAOS_SEED`` repeats a run.
"""

from __future__ import annotations

import os
import secrets

import pytest

from tests.chaos.scenario import VARIANTS, run

SIZE = os.environ.get("CHAOS")

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(SIZE not in ("small", "full"), reason="CHAOS is neither small nor full"),
]


@pytest.mark.parametrize("name", VARIANTS)
def test_the_promises_hold_whatever_is_killed(name, tmp_path, capsys):
    variant = VARIANTS[name]
    seed = os.environ.get("CHAOS_SEED") or secrets.token_hex(4)
    with capsys.disabled():
        print(f"\n{name}: seed {seed}, logs in {tmp_path}", flush=True)
        outcome = run(variant, variant.full if SIZE == "full" else variant.small, seed, tmp_path)
        print(outcome, flush=True)

    assert outcome.problems == []
    # The run must have been a real test: something was disturbed, refused and retried.
    assert outcome.disturbances
    assert any(not sending.is_accepted for sending in outcome.log) or SIZE == "small"
    assert any(event["attempts"] > 1 for event in outcome.evidence["events"])
