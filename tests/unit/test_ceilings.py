"""Ceilings: the curve that is extrapolated, who predicts whom, what comes out for recordings of known reliability."""

import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from scoring.ceilings import ceiling_of
from scoring.datasets.base import Experiment
from scoring.extrapolation import fit_saturation, saturation
from scoring.metrics.part_fits import part_data
from scoring.protocols import BRAIN_SCORE, GROUPED, PAPER
from scoring.recording import Recording, Units
from scoring.regression.encode import cross_val_encode
from scoring.regression.folds import Split, SplitKind, make_folds
from scoring.regression.rules import NESTED_RIDGE
from scoring.reliability import split_half
from scoring.results import CeilingMethod
from scoring.subject_extrapolation import collect, pools_of
from scoring.types import Passage, Stimuli

N_ROWS = 96
ONE_PENALTY = replace(GROUPED.brain, regression=BRAIN_SCORE.brain.regression)


def experiment(values, owners, parts=None):
    """A recording of rows in 24 passages of four, each passage its own topic."""
    passages = tuple(
        Passage.join(f"p{start}", ["One.", "Two.", "Three.", "Four."]) for start in range(0, len(values), 4)
    )
    stimuli = Stimuli(
        ids=tuple(map(str, range(len(values)))),
        passages=passages,
        groups=tuple(passage.name for passage in passages for _ in passage.spans),
    )
    return Experiment(stimuli=stimuli, measured=Recording.of(values, Units.numbered(owners), parts), ceiling=None)


def recording(n_participants, *, noise, n_units=6, seed=0, n_rows=N_ROWS):
    """Participants whose units all read three shared signals, each unit with noise of its own; and the signals."""
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((n_rows, 3))
    clean = [signal @ rng.standard_normal((3, n_units)) / np.sqrt(3) for _ in range(n_participants)]
    values = np.concatenate([one + noise * rng.standard_normal(one.shape) for one in clean], axis=1)
    owners = [f"p{one}" for one in range(n_participants) for _ in range(n_units)]
    return values, owners, np.concatenate(clean, axis=1)


def curves(n_curves, *, noise, seed=0):
    rng = np.random.default_rng(seed)
    x = np.arange(2.0, 7.0)
    v0, tau = rng.uniform(0.05, 0.9, n_curves), rng.uniform(0.4, 6, n_curves)
    return x, saturation(x[:, None], v0, tau) + noise * rng.standard_normal((5, n_curves)), v0, tau


def test_a_planted_curve_is_recovered():
    x, y, v0, tau = curves(200, noise=0)
    found_v0, found_tau = fit_saturation(x, y)
    np.testing.assert_allclose(found_v0, v0, rtol=1e-7)
    np.testing.assert_allclose(found_tau, tau, rtol=1e-6)


def test_curves_equal_those_of_scipy_where_it_converges():
    x, y, _, _ = curves(150, noise=0.02, seed=1)
    found, tau = fit_saturation(x, y)
    for index, own in enumerate(y.T):
        (v0, other_tau), _ = curve_fit(
            lambda x, v0, tau: v0 * (1 - np.exp(-x / tau)),
            x,
            own,
            p0=(0.5, 1.0),
            bounds=([0, 1e-3], [1, np.inf]),
            ftol=1e-15,
            xtol=1e-15,
            gtol=1e-15,
            max_nfev=5000,
        )
        losses = [((own - saturation(x, *pair)) ** 2).sum() for pair in ((found[index], tau[index]), (v0, other_tau))]
        assert losses[0] <= losses[1] + 1e-12
        assert abs(found[index] - v0) < 1e-4


def test_curves_stay_within_their_bounds_and_missing_scores_give_none():
    x = np.arange(2.0, 6.0)
    y = np.stack([-x, 0.5 * x, np.full(4, 0.3), [0.1, np.nan, 0.2, 0.2]], axis=1)
    v0, tau = fit_saturation(x, y)
    np.testing.assert_allclose(v0[:3], [0, 1, 0.3], atol=1e-9)
    assert np.isnan([v0[3], tau[3]]).all()


def test_few_features_give_the_fit_of_their_gram_matrix():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 7)) * [1, 3, 0.2, 1, 1, 5, 1]
    Y = X @ rng.standard_normal((7, 4)) + rng.standard_normal((60, 4))
    groups = [str(row // 3) for row in range(60)]
    folds = make_folds(Split(kind=SplitKind.GROUPS), groups, groups, n_folds=4)
    for regression in (NESTED_RIDGE, PAPER.brain.regression, BRAIN_SCORE.brain.regression):
        few = cross_val_encode(X, Y, folds, regression, is_gram=False, standardise=False)
        gram = cross_val_encode(X @ X.T, Y, folds, regression)
        np.testing.assert_allclose(few.penalties, gram.penalties)
        np.testing.assert_allclose(few.test_r, gram.test_r, atol=1e-5)


def test_pools_are_all_there_are_or_balanced_samples():
    rng = np.random.default_rng(0)
    assert set(pools_of(5, 2, rng)) == set(combinations(range(5), 2))
    pools = pools_of(6, 3, rng)
    assert 6 < len(pools) <= 12
    n_in = np.bincount(np.concatenate(pools), minlength=6)
    assert n_in.max() - n_in.min() <= 2
    assert n_in.max() < len(pools)
    assert np.bincount(np.concatenate(pools_of(9, 4, rng))).tolist() == [4] * 9


@pytest.mark.parametrize("n_units", [6, 40])
def test_each_participant_is_predicted_from_the_others_pooled_units(n_units):
    """Both with fewer units than rows and with more, as a plain fit of the pooled columns gives it."""
    values, owners, _ = recording(3, noise=1.0, n_units=n_units)
    rules = ONE_PENALTY
    (part,) = part_data(experiment(values, owners), rules, 6)
    scores = collect(part, rules, rng=np.random.default_rng(0))
    X, Y = values[:, : 2 * n_units], values[:, 2 * n_units :]
    expected = cross_val_encode(X @ X.T, Y, part.folds, rules.regression).test_r
    np.testing.assert_allclose(scores[2][3][0], expected, atol=1e-5)
    assert {size: len(fits) for size, fits in scores[2].items()} == {2: 2, 3: 1}


def test_the_ceiling_is_what_the_shared_signal_reaches():
    """Units of noise 1 around a signal of variance 1: the true signal correlates with them by about .7."""
    values, owners, clean = recording(6, noise=1.0, n_units=8, n_rows=240)
    reachable = np.median([np.corrcoef(*pair)[0, 1] for pair in zip(values.T, clean.T, strict=True)])
    ceiling = ceiling_of(experiment(values, owners), ONE_PENALTY, 4)
    assert ceiling.method is CeilingMethod.SUBJECT_EXTRAPOLATION
    assert ceiling.value == pytest.approx(reachable, abs=0.06)
    assert ceiling.at_hand == pytest.approx(ceiling.value, abs=0.05)
    assert ceiling.low < ceiling.value < ceiling.high
    assert not ceiling.is_unstable


def test_the_ceiling_is_the_same_for_the_same_seed():
    values, owners, _ = recording(3, noise=1.0)
    first, again = (ceiling_of(experiment(values, owners), PAPER.brain, 6) for _ in range(2))
    assert first == again
    assert first.is_unstable


def test_noise_has_no_ceiling_and_two_participants_have_none():
    noise = np.random.default_rng(5).standard_normal((4 * N_ROWS, 12))
    of_noise = ceiling_of(experiment(noise, [f"p{unit // 3}" for unit in range(12)]), PAPER.brain, 6)
    assert of_noise.value is None or of_noise.value < 0.1
    alone = ceiling_of(experiment(noise, ["a"] * 6 + ["b"] * 6), PAPER.brain, 6)
    assert (alone.value, alone.method) == (None, CeilingMethod.NONE)
    assert "fewer than three participants" in alone.reason


def test_parts_without_three_participants_are_left_out_of_the_mean():
    values, owners, _ = recording(3, noise=1.0)
    both = np.concatenate([values, values])
    both[N_ROWS:, 6:] = np.nan
    parts = {"three": np.arange(N_ROWS), "one": np.arange(N_ROWS, 2 * N_ROWS)}
    alone = ceiling_of(experiment(values, owners), PAPER.brain, 6)
    assert ceiling_of(experiment(both, owners, parts), PAPER.brain, 6) == alone


def test_units_that_never_vary_in_a_test_fold_are_left_out_and_counted():
    values, owners, _ = recording(3, noise=0.5)
    values[:, 0] = 1.0
    ceiling = ceiling_of(experiment(values, owners), ONE_PENALTY, 6)
    assert ceiling.value > 0.5
    assert ceiling.reason == "1 units without a curve were left out"


def test_progress_is_reported_up_to_the_end():
    values, owners, _ = recording(3, noise=1.0)
    seen = []
    ceiling_of(experiment(values, owners), PAPER.brain, 6, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def readers(n_items, n_readers, *, noise, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.standard_normal(n_items)
    return true, true[:, None] + noise * rng.standard_normal((n_items, n_readers))


def test_the_split_half_ceiling_is_what_the_true_means_reach():
    true, readings = readers(2000, 20, noise=3.0)
    ceiling = split_half(readings)
    assert ceiling.method is CeilingMethod.SPLIT_HALF
    assert ceiling.value == pytest.approx(np.corrcoef(true, readings.mean(axis=1))[0, 1], abs=0.015)
    assert ceiling.low < ceiling.value < ceiling.high
    assert split_half(readings) == ceiling


def test_missing_readings_hardly_move_the_split_half_ceiling():
    _, readings = readers(2000, 20, noise=3.0)
    thinned = np.where(np.random.default_rng(1).random(readings.shape) < 0.02, np.nan, readings)
    assert split_half(thinned).value == pytest.approx(split_half(readings).value, abs=0.01)


def test_two_repetitions_have_the_root_of_their_stepped_up_correlation():
    _, readings = readers(500, 2, noise=1.0)
    rho = np.corrcoef(readings.T)[0, 1]
    assert split_half(readings).value == pytest.approx(np.sqrt(2 * rho / (1 + rho)))


def test_readers_that_do_not_agree_have_no_ceiling():
    rng = np.random.default_rng(6)
    signal = rng.standard_normal(400)
    opposed = np.stack([signal, -signal], axis=1) + 0.1 * rng.standard_normal((400, 2))
    assert "do not agree" in split_half(opposed).reason
    assert "do not agree" in split_half(np.array([[1.0, -1], [2, -2], [4, -4]])).reason
    assert "at least three items" in split_half(np.ones((2, 5))).reason


def test_data_sets_and_intervals_load_nothing_that_fits():
    """The web process imports both."""
    code = "import sys, scoring.ceilings, scoring.uncertainty; print('scoring.regression.encode' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
