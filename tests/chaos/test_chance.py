"""Random decisions of a run: no seed makes a run too easy."""

from __future__ import annotations

from tests.chaos.chance import chance_of


def test_with_each_seed_about_one_in_ten_calls_fails():
    for seed in range(500):
        chances = [
            chance_of(f"{seed:08x}", receiver, f"evt_{number:025d}", 1)
            for receiver in ("first", "second")
            for number in range(140)
        ]
        assert 8 <= sum(chance < 0.1 for chance in chances) <= 60, seed


def test_the_same_seed_gives_the_same_chance():
    assert chance_of("seed", "first", 1) == chance_of("seed", "first", 1)
    assert chance_of("seed", "first", 1) != chance_of("other", "first", 1)
