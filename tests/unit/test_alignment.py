"""Reading times that stand one word early are moved; a declaration that the times contradict is refused."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.datasets.alignment import correlations, moved_on, realigned, standing
from scoring.datasets.manifest import Alignment
from scoring.errors import DataMalformed

STORIES = [f"story-{index // 100}" for index in range(600)]


def read(*, seed=0, noise=30.0):
    """Lengths of words, and times as they were read: slowed by a word's length, and more by that of the one before."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 12, len(STORIES)).astype(float)
    before = np.where(np.arange(len(STORIES)) % 100 > 0, np.r_[0.0, lengths[:-1]], 0.0)
    return lengths, 300 + 6 * lengths + 9 * before + noise * rng.standard_normal(len(STORIES))


def recorded_early(times):
    """As a file holds them in which each time stands at the next word of its story."""
    early = np.r_[times[1:], np.nan]
    early[np.arange(len(times)) % 100 == 99] = np.nan
    return early


def test_times_are_shifted_back_within_stories_only():
    shifted = moved_on(np.array([1.0, 2, 3, 4, 5]), ["a", "a", "a", "b", "b"])
    np.testing.assert_array_equal(shifted, [np.nan, 1, 2, np.nan, 4])


def test_original_times_are_moved_and_corrected_ones_are_left_alone():
    lengths, times = read()
    assert realigned(times, lengths, STORIES, Alignment.CORRECTED) is times
    moved = realigned(recorded_early(times), lengths, STORIES, Alignment.ORIGINAL)
    kept = np.isfinite(moved)
    assert kept.sum() == 600 - 6
    np.testing.assert_array_equal(moved[kept], times[kept])


def test_what_contradicts_its_declaration_is_refused_with_what_was_found():
    lengths, times = read()
    with pytest.raises(DataMalformed, match=r"declared original, but do not stand as original.*-1: -?0\.0"):
        realigned(times, lengths, STORIES, Alignment.ORIGINAL)
    with pytest.raises(DataMalformed, match="declared corrected, but do not stand as corrected"):
        realigned(recorded_early(times), lengths, STORIES, Alignment.CORRECTED)


@pytest.mark.parametrize("declared", Alignment)
def test_times_that_were_shifted_twice_are_refused_whatever_is_declared(declared):
    lengths, times = read()
    twice = moved_on(times, STORIES)
    assert standing(twice, lengths, STORIES) == "late"
    with pytest.raises(DataMalformed):
        realigned(twice, lengths, STORIES, declared)


def test_noise_contradicts_nothing():
    lengths, _ = read()
    times = np.random.default_rng(3).normal(300, 30, 600)
    assert standing(times, lengths, STORIES) is None
    assert realigned(times, lengths, STORIES, Alignment.CORRECTED) is times


def test_of_few_words_or_of_equal_ones_nothing_is_told():
    lengths, times = read()
    assert standing(times[:40], lengths[:40], STORIES[:40]) is None
    assert standing(times, np.ones(600), STORIES) is None


def test_lags_stay_within_stories():
    lengths, times = np.array([1.0, 2, 4, 8, 16, 32]), np.array([5.0, 1, 2, 7, 8, 16])
    by_lag = correlations(times, lengths, ["a"] * 3 + ["b"] * 3)
    assert [*by_lag] == [-2, -1, 0, 1, 2]
    assert by_lag[1] == pytest.approx(np.corrcoef([1, 2, 8, 16], [1, 2, 8, 16])[0, 1])
