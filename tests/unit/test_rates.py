"""Buckets of tokens under a clock that the test moves."""

from __future__ import annotations

import pytest

from api.rates import Rates


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_passes_and_then_only_the_rate(clock: Clock) -> None:
    rates = Rates(2.0, 3, clock=clock)
    assert [rates.wait_s("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    clock.now += 0.25
    assert rates.wait_s("a") == pytest.approx(0.25)
    clock.now += 0.25
    assert rates.wait_s("a") == 0.0
    assert rates.wait_s("a") == pytest.approx(0.5)


def test_over_a_long_time_no_more_than_burst_and_rate_pass(clock: Clock) -> None:
    rates, n_passed = Rates(5.0, 10, clock=clock), 0
    for _ in range(10_000):
        n_passed += rates.wait_s("a") == 0.0
        clock.now += 0.01
    assert 10 + 5 * 100 - 1 <= n_passed <= 10 + 5 * 100 + 1


def test_clients_do_not_share_a_bucket(clock: Clock) -> None:
    rates = Rates(1.0, 1, clock=clock)
    assert [rates.wait_s(name) for name in "aabb"] == [0.0, 1.0, 0.0, 1.0]


def test_a_rate_of_zero_is_no_limit(clock: Clock) -> None:
    rates = Rates(0.0, 1, clock=clock)
    assert {rates.wait_s("a") for _ in range(1000)} == {0.0}
    assert len(rates) == 0


def test_strangers_cannot_fill_the_memory_and_the_busy_are_not_forgotten(clock: Clock) -> None:
    rates = Rates(1.0, 2, clock=clock, max_buckets=10)
    for number in range(1000):
        rates.wait_s("busy")
        rates.wait_s(f"stranger {number}")
    assert len(rates) == 10
    assert rates.wait_s("busy") > 0
