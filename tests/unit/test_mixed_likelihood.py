"""Single readers' times: the mixed model against dense matrices, and what surprisal is found to say of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from scoring.errors import DataMalformed, NumericalFailure
from scoring.metrics import reading_times
from scoring.metrics.delta_likelihood import Predictors
from scoring.metrics.mixed_likelihood import mixed_measures
from scoring.metrics.mixed_model import MixedModel, ReaderSums, fit, log_likelihoods
from scoring.metrics.reading_times import correlate_reading_times
from scoring.metrics.words import Words
from scoring.protocols import GROUPED
from scoring.responses import SurprisalKind, Surprisals
from scoring.types import Passage, Readings, ReadingTimes, Stimuli


def stimuli(n_stories, n_words, rng):
    letters = np.array(list("abcdefgh"))
    passages = tuple(
        Passage.join(
            f"s{story}",
            [
                "".join(rng.choice(letters, rng.integers(1, 10))) + rng.choice(["", "", ",", "."])
                for _ in range(n_words)
            ],
        )
        for story in range(n_stories)
    )
    return Stimuli(
        ids=tuple(map(str, range(n_stories * n_words))),
        passages=passages,
        groups=tuple(passage.name for passage in passages for _ in passage.spans),
    )


def made_up(*, n_stories=5, n_words=60, n_readers=8, seed=0, effect=0.02):
    """Words, surprisals and readings of all words by all readers, who differ in speed and in what surprise does."""
    rng = np.random.default_rng(seed)
    read = stimuli(n_stories, n_words, rng)
    words = Words.of(read, rng.gamma(4, 3, len(read)))
    bits = rng.gamma(2, 3, len(read))
    word, reader = np.tile(np.arange(len(read)), n_readers), np.repeat(np.arange(n_readers), len(read))
    speed, slope = 0.3 * rng.standard_normal(n_readers), effect * (1 + 0.3 * rng.standard_normal(n_readers))
    logs = 5.8 + speed[reader] + slope[reader] * bits[word] + 0.01 * words.length[word]
    times = np.exp(logs + 0.2 * rng.standard_normal(len(word)))
    return read, words, bits, Readings(words=word, readers=reader, times_ms=times)


def measured(words, bits, readings):
    return mixed_measures(bits, readings, words, Predictors.of(words))


def simulated(n_columns, counts, *, seed=0, intercept=0.7, slope=0.4):
    """X, y and the reader of each reading, for readers with so many readings each."""
    rng = np.random.default_rng(seed)
    readers = np.repeat(np.arange(len(counts)), counts)
    X = np.c_[np.ones(len(readers)), rng.standard_normal((len(readers), n_columns - 1))]
    own = np.c_[intercept * rng.standard_normal(len(counts)), slope * rng.standard_normal(len(counts))]
    y = X @ rng.standard_normal(n_columns) + own[readers, 0] + own[readers, 1] * X[:, -1]
    return X, y + rng.standard_normal(len(y)), readers


def sums_of(X, y, readers):
    numbers = np.unique(readers)
    return ReaderSums(
        XX=np.stack([X[readers == one].T @ X[readers == one] for one in numbers]),
        Xy=np.stack([X[readers == one].T @ y[readers == one] for one in numbers]),
        yy=np.array([y[readers == one] @ y[readers == one] for one in numbers]),
    )


def dense(model, X, y, readers):
    """Each reader's log-likelihood under the covariance written out."""
    Lambda = model.factor @ model.factor.T
    found = []
    for reader in np.unique(readers):
        rows = readers == reader
        Z = X[rows][:, list(model.random)]
        covariance = model.variance * (np.eye(rows.sum()) + Z @ Lambda @ Z.T)
        found.append(multivariate_normal.logpdf(y[rows], X[rows] @ model.coefficients, covariance))
    return np.array(found)


@pytest.mark.parametrize("random", [(0,), (0, 3)])
def test_the_likelihood_of_new_readings_is_that_of_the_covariance_written_out(random):
    X, y, readers = simulated(4, [1, 2, 17, 40, 5])
    factor = np.array([[0.6, 0.0], [-0.3, 0.2]])[: len(random), : len(random)]
    model = MixedModel(
        coefficients=np.array([0.3, -1.0, 0.2, 0.5]), random=random, factor=factor, variance=1.7, deviance=np.nan
    )
    np.testing.assert_allclose(
        log_likelihoods(model, sums_of(X, y, readers)), dense(model, X, y, readers), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("random", [(0,), (0, 3)])
def test_the_fit_is_the_maximum_of_the_likelihood(random):
    """Against a search over all parameters at once, by simplices, on the covariance written out."""
    X, y, readers = simulated(4, [12, 20, 9, 15, 30, 11, 8, 25])
    model = fit(sums_of(X, y, readers), random)
    assert model.deviance == pytest.approx(-2 * dense(model, X, y, readers).sum(), abs=1e-8)

    def deviance(parameters):
        factor = np.zeros((len(random), len(random)))
        factor[np.tril_indices(len(random))] = parameters[5:]
        with_these = replace(model, coefficients=parameters[:4], variance=np.exp(parameters[4]), factor=factor)
        return -2 * dense(with_these, X, y, readers).sum()

    start = np.r_[np.zeros(4), 0.0, [1.0, 0.0, 1.0] if len(random) == 2 else [1.0]]
    found = minimize(deviance, start, method="BFGS", options={"gtol": 1e-4})
    assert model.deviance == pytest.approx(found.fun, abs=1e-6)
    np.testing.assert_allclose(model.coefficients, found.x[:4], atol=1e-3)
    assert model.variance == pytest.approx(np.exp(found.x[4]), rel=1e-3)


def test_readers_who_do_not_differ_get_no_variance():
    X, y, readers = simulated(3, [40] * 12, seed=2, intercept=0.0, slope=0.0)
    X[:, 1:] -= np.repeat([X[readers == reader, 1:].mean(axis=0) for reader in range(12)], 40, axis=0)
    y -= np.repeat([y[readers == reader].mean() for reader in range(12)], 40)
    model = fit(sums_of(X, y, readers), (0,))
    assert model.factor[0, 0] < 1e-3
    expected = np.linalg.lstsq(X, y)[0]
    np.testing.assert_allclose(model.coefficients, expected, atol=1e-4)
    assert model.variance == pytest.approx(np.mean((y - X @ expected) ** 2), rel=1e-6)


def test_columns_that_repeat_others_change_nothing():
    X, y, readers = simulated(3, [12, 20, 9, 15], slope=0.0)
    plain, repeated = sums_of(X, y, readers), sums_of(np.c_[X, X[:, 1], np.zeros(len(X))], y, readers)
    repeated = repeated.transformed(repeated.standardising())
    models = fit(plain, (0,)), fit(repeated, (0,))
    assert models[0].deviance == pytest.approx(models[1].deviance, abs=1e-8)
    np.testing.assert_allclose(
        log_likelihoods(models[0], plain), log_likelihoods(models[1], repeated), rtol=0, atol=1e-5
    )


def test_times_without_residuals_are_refused():
    X, _, readers = simulated(3, [12, 20, 9])
    with pytest.raises(NumericalFailure, match="leaves no residual"):
        fit(sums_of(X, np.zeros(len(X)), readers), (0,))


def test_delta_ll_is_the_mean_over_readings_of_stories_left_out():
    """Written out: designs in full, models of the other stories, dense covariances of the readings left out."""
    _, words, bits, readings = made_up(n_stories=4, n_words=40, n_readers=5)
    predictors = Predictors.of(words)
    base = np.c_[np.ones(len(bits)), predictors.base]
    full = np.c_[base, words.with_two_before(bits)]
    rows = np.isfinite(full[readings.words]).all(axis=1)
    word, reader, story = readings.words[rows], readings.readers[rows], words.stories[readings.words[rows]]
    for suffix, times in {"": np.log(readings.times_ms[rows]), "_ms": readings.times_ms[rows]}.items():
        total = 0.0
        for sign, design, random in ((-1, base, (0,)), (1, full, (0, base.shape[1]))):
            design = np.c_[design[:, 0], (design[:, 1:] - np.nanmean(design[:, 1:], axis=0)) / np.nanstd(design[:, 1:])]
            for left_out in range(4):
                train, test = story != left_out, story == left_out
                model = fit(sums_of(design[word[train]], times[train], reader[train]), random)
                total += sign * dense(model, design[word[test]], times[test], reader[test]).sum()
        assert measured(words, bits, readings)[f"delta_ll_mixed{suffix}"] == pytest.approx(total / rows.sum(), abs=1e-6)


def test_planted_surprise_is_found_and_shuffled_surprise_gains_nothing():
    _, words, bits, readings = made_up()
    rng = np.random.default_rng(5)
    planted = measured(words, bits, readings)
    shuffled = [measured(words, rng.permutation(bits), readings) for _ in range(12)]
    for name in ("delta_ll_mixed", "delta_ll_mixed_ms"):
        gains = [measures[name] for measures in shuffled]
        assert np.mean(gains) <= 0
        assert planted[name] > max(0.02, 5 * max(gains))


def test_what_is_left_out_is_counted_and_changes_nothing():
    """Words without surprisal, readings that are none, and a reader of one word: as if they had not been there."""
    _, words, bits, readings = made_up()
    bits[200] = np.nan
    plain = measured(words, bits, readings)
    n_unknown = 8 * (5 * 2 + 3)
    assert plain["n_readings"] == 8 * 5 * 60 - n_unknown
    assert plain["n_readings_without_predictor"] == n_unknown
    assert (plain["n_readings_outside"], plain["n_readers_left_out"]) == (0, 0)
    more = Readings(
        words=np.r_[readings.words, 10, 11, 12, 30],
        readers=np.r_[readings.readers, 8, 9, 9, 9],
        times_ms=np.r_[readings.times_ms, 300.0, 99.9, 3000.1, 400.0],
    )
    counted = measured(words, bits, more)
    assert (counted["n_readings_outside"], counted["n_readers_left_out"]) == (2, 2)
    for name in ("delta_ll_mixed", "delta_ll_mixed_ms", "n_readings"):
        assert counted[name] == pytest.approx(plain[name], abs=1e-12)
    at_the_limits = replace(more, times_ms=np.r_[readings.times_ms, 300.0, 100.0, 3000.0, 400.0])
    assert measured(words, bits, at_the_limits)["n_readings_outside"] == 0


@pytest.mark.parametrize("few", [{"n_stories": 2}, {"n_readers": 2}, {"n_stories": 3, "n_words": 5, "n_readers": 3}])
def test_few_stories_readers_or_readings_have_counts_alone(few):
    _, words, bits, readings = made_up(**few)
    assert [name for name in measured(words, bits, readings) if not name.startswith("n_read")] == []


def test_without_any_reading_nothing_is_known():
    _, words, bits, _ = made_up()
    none = Readings(words=np.empty(0, np.intp), readers=np.empty(0, np.intp), times_ms=np.empty(0))
    assert set(measured(words, bits, none).values()) == {0.0}


def test_a_search_that_does_not_converge_is_counted(monkeypatch):
    _, words, bits, readings = made_up()
    monkeypatch.setattr("scoring.metrics.mixed_model.GRADIENT_ALLOWED", -1.0)
    found = measured(words, bits, readings)
    assert (found["n_stories_unfitted"], found["n_stories_unfitted_ms"]) == (5, 5)
    assert "delta_ll_mixed" not in found


def scored(bits, boundary_bits, alignments, monkeypatch):
    """Measures of surprisals of a made-up corpus, and how often single readings were looked at."""
    read, words, _, readings = made_up()
    means = np.bincount(readings.words, weights=readings.times_ms) / np.bincount(readings.words)
    times = ReadingTimes(
        published=means,
        realigned=means,
        n_readers=np.full(len(means), 8.0),
        sd_ms=np.ones(len(means)),
        n_participants=8,
        log_frequency=words.log_frequency,
        readings=dict.fromkeys(alignments, readings),
    )
    given = Surprisals(
        sum_bits=bits,
        boundary_bits=boundary_bits,
        boundary_reason=None if boundary_bits is not None else "none",
        n_tokens=np.ones(len(bits), dtype=np.intp),
        context_tokens=np.zeros(len(bits), dtype=np.intp),
        kind=SurprisalKind.CAUSAL,
    )
    calls = []

    def counting(*arguments, **options):
        calls.append(1)
        return mixed_measures(*arguments, **options)

    monkeypatch.setattr(reading_times, "mixed_measures", counting)
    return correlate_reading_times(given, times, read, GROUPED.reading).measures, len(calls)


def test_reading_scores_have_it_for_alignments_with_single_readings(monkeypatch):
    _, _, bits, _ = made_up()
    other = bits + np.random.default_rng(1).gamma(1, 1, len(bits))
    measures, n_calls = scored(other, bits, ("realigned",), monkeypatch)
    assert n_calls == 2
    assert measures["delta_ll_mixed_realigned"] > measures["delta_ll_mixed_realigned_sum"] > 0
    assert measures["delta_ll_mixed_ms_realigned"] > measures["delta_ll_mixed_ms_realigned_sum"] > 0
    assert measures["n_readings_realigned"] == 8 * 5 * 58
    assert not [name for name in measures if "mixed" in name and "published" in name]
    assert not [name for name in scored(bits, bits, (), monkeypatch)[0] if "mixed" in name]


def test_rules_that_agree_are_computed_once(monkeypatch):
    _, _, bits, _ = made_up()
    measures, n_calls = scored(bits, None, ("published", "realigned"), monkeypatch)
    assert n_calls == 2
    assert measures["delta_ll_mixed_published"] == measures["delta_ll_mixed_published_sum"] > 0


def test_readings_that_do_not_fit_together_are_refused():
    word, time = np.zeros(3, np.intp), np.full(3, 300.0)
    for wrong in ({"readers": word[:2]}, {"times_ms": time[:, None]}, {"words": word[:0]}):
        with pytest.raises(DataMalformed, match="a word, a reader and a time"):
            Readings(**{"words": word, "readers": word, "times_ms": time, **wrong})
    for value in (0.0, -3.0, np.nan, np.inf):
        with pytest.raises(DataMalformed, match="not a positive number"):
            Readings(words=word, readers=word, times_ms=np.r_[time[:2], value])
    with pytest.raises(DataMalformed, match="numbered from 0"):
        Readings(words=word, readers=word - 1, times_ms=time)
    means = {name: np.full(2, 300.0) for name in ("published", "realigned", "n_readers", "sd_ms")}
    for beyond in (word - 1, word + 2):
        readings = {"published": Readings(words=beyond, readers=word, times_ms=time)}
        with pytest.raises(DataMalformed, match="beyond the 2"):
            ReadingTimes(**means, n_participants=1, readings=readings)
