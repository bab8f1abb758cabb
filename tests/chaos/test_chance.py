"""The chances of a run: no seed makes it a walk in the park."""

from __future__ import annotations

from tests.chaos.chance import chance_of


def test_each_seed_makes_about_one_in_ten_fail():
    for seed in range(500):
        chances = [
            chance_of(f"{seed:08x}", receiver, f"evt_{number:025d}", 1)
            for receiver in ("first", "second")
            for number in range(140)
        ]
        assert 8 <= sum(chance < 0.1 for chance in chances) <= 60, seed


def test_a_seed_repeats_itself():
    assert chance_of("seed", "first", 1) == chance_of("seed", "first", 1)
    assert chance_of("seed", "first", 1) != chance_of("other", "first", 1)
