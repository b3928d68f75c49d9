"""What baselines say about a score: when they are warnings, and when there is an interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from scoring.baselines import NUISANCE, OASM
from scoring.controls import CONTROLS, Difference, difference, warnings


def draws_around(raw: float, *, seed: int, spread: float = 0.02) -> list[float]:
    return (raw + spread * np.random.default_rng(seed).standard_normal(1000)).tolist()


def above(raw: float, baseline: str, baseline_raw: float, *, shared: bool = False) -> Difference:
    """A score and a baseline, each with draws; `shared` ones go up and down together."""
    drawn = draws_around(raw, seed=0)
    other = [value - raw + baseline_raw for value in drawn] if shared else draws_around(baseline_raw, seed=1)
    return difference(raw, drawn, baseline=baseline, baseline_raw=baseline_raw, baseline_draws=other, n_clusters=96)


@pytest.mark.parametrize(
    ("raw", "baseline", "baseline_raw", "codes"),
    [
        (0.20, "baseline/oasm", 0.05, ()),
        (0.20, "baseline/oasm", 0.25, ("leak",)),
        (0.20, "baseline/oasm", 0.20, ("leak",)),
        (0.20, "baseline/oasm", 0.19, ("leak",)),
        (0.20, "baseline/nuisance", 0.05, ()),
        (0.20, "baseline/nuisance", 0.19, ("confounded",)),
        (0.20, "baseline/random", 0.25, ()),
        (0.20, "untrained/gpt2@0", 0.25, ()),
    ],
)
def test_a_score_that_is_not_surely_above_a_control_bears_its_warning(
    raw: float, baseline: str, baseline_raw: float, codes: tuple[str, ...]
) -> None:
    found = warnings([above(raw, baseline, baseline_raw)])
    assert tuple(warning.code for warning in found) == codes


def test_warnings_come_from_baselines_that_there_are() -> None:
    assert set(CONTROLS) == {NUISANCE, OASM}


def test_draws_that_move_together_make_a_small_difference_sure() -> None:
    together, apart = (above(0.20, "baseline/oasm", 0.19, shared=shared) for shared in (True, False))
    assert (together.value, together.low, together.high) == pytest.approx((0.01, 0.01, 0.01))
    assert together.is_positive
    assert not apart.is_positive


def test_the_interval_is_as_wide_as_the_differences_of_paired_draws() -> None:
    found = above(0.20, "baseline/oasm", 0.05)
    paired = np.subtract(draws_around(0.20, seed=0), draws_around(0.05, seed=1))
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, 95) * np.sqrt(96 / 95) * paired.std())
    assert found.low < 0.15 < found.high


@pytest.mark.parametrize("baseline_draws", [[], [0.1] * 999])
def test_without_paired_draws_the_scores_alone_decide(baseline_draws: list[float]) -> None:
    drawn = draws_around(0.2, seed=0)
    higher, lower = (
        difference(0.2, drawn, baseline="baseline/oasm", baseline_raw=raw, baseline_draws=baseline_draws, n_clusters=96)
        for raw in (0.21, 0.19)
    )
    assert (higher.low, higher.high, lower.low, lower.high) == (None, None, None, None)
    assert [len(warnings([found])) for found in (higher, lower)] == [1, 0]


def test_a_warning_says_the_numbers_that_it_rests_on() -> None:
    (warning,) = warnings([above(0.20, "baseline/oasm", 0.19)])
    assert "0.190 (baseline/oasm)" in warning.detail
    assert "the score is 0.010 above that" in warning.detail
    assert "95 % interval" in warning.detail


def test_a_score_below_a_control_is_told_as_below_it() -> None:
    (warning,) = warnings([above(0.20, "baseline/oasm", 0.704)])
    assert "the score is 0.504 below that" in warning.detail
