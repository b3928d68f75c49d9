"""What surprisal says of reading times beyond words' length, frequency and place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression

from scoring.baselines import baseline_names, score_baseline
from scoring.benchmarks.base import benchmark_named
from scoring.datasets.download import DataStore
from scoring.metrics.delta_likelihood import Predictors, delta_ll, likelihood_measures, partial_correlation
from scoring.metrics.words import Words
from scoring.protocols import GROUPED
from scoring.types import Passage, Stimuli

TEXT = "'Stop!' said Mr. Fox. 'Why?' asked she; and ran. (Then) it rained ; twice"


def stimuli_of(*stories):
    passages = tuple(Passage.join(f"story-{index}", story.split()) for index, story in enumerate(stories))
    return Stimuli(
        ids=tuple(f"{passage.name}.{zone}" for passage in passages for zone in range(len(passage.spans))),
        passages=passages,
        groups=tuple(passage.name for passage in passages for _ in passage.spans),
    )


def made_up(n_stories=6, n_words=60, *, seed=0):
    """Stories of made-up words, their properties, surprisals and times in which surprisal is planted."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefgh"))
    marks = ["", "", "", ",", "."]
    stories = [
        " ".join("".join(rng.choice(letters, rng.integers(1, 10))) + rng.choice(marks) for _ in range(n_words))
        for _ in range(n_stories)
    ]
    stimuli = stimuli_of(*stories)
    words = Words.of(stimuli, rng.gamma(4, 3, len(stimuli)))
    bits = rng.gamma(2, 3, len(stimuli)) + 0.3 * words.length
    times = 300 + 5 * words.length - 2 * words.log_frequency + 4 * bits + 20 * rng.standard_normal(len(stimuli))
    return words, bits, times


def test_sentences_end_where_the_next_word_begins_one():
    words = Words.of(stimuli_of(TEXT, "a b. C"), None)
    tokens = [*TEXT.split(), "a", "b.", "C"]
    ended = [token for token, ends in zip(tokens, words.ends_sentence, strict=True) if ends]
    assert ended == ["Fox.", "ran.", "twice", "b.", "C"]
    assert words.position.tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 1]
    assert words.zone.tolist() == [*range(1, 15), 1, 2, 3]
    assert words.stories.tolist() == [0] * 14 + [1] * 3
    punctuated = [token for token, ends in zip(tokens, words.ends_in_punctuation, strict=True) if ends]
    assert punctuated == ["'Stop!'", "Mr.", "Fox.", "'Why?'", "she;", "ran.", "(Then)", ";", "b."]
    assert words.length[:2].tolist() == [7, 4]


def test_words_before_stay_within_the_story():
    words = Words.of(stimuli_of("a b c", "d e f"), None)
    values = words.with_two_before(np.arange(6.0))
    np.testing.assert_array_equal(values[2], [2, 1, 0])
    np.testing.assert_array_equal(values[5], [5, 4, 3])
    assert np.isnan(values[[0, 1, 3, 4], 2]).all()
    assert np.isnan(values[[0, 3], 1]).all()


def restated(times, columns, stories):
    """Log-likelihoods of held-out words, story by story, as scikit-learn's least squares gives them."""
    found = np.full(len(times), np.nan)
    rows = np.isfinite(np.column_stack([times, columns])).all(axis=1)
    for story in set(stories.tolist()):
        train, test = rows & (stories != story), rows & (stories == story)
        model = LinearRegression().fit(columns[train], times[train])
        spread = np.sqrt(np.mean((times[train] - model.predict(columns[train])) ** 2))
        found[test] = norm.logpdf(times[test], model.predict(columns[test]), spread)
    return found


def test_delta_ll_is_that_of_plain_least_squares():
    words, bits, times = made_up()
    bits[7], times[100] = np.nan, np.nan
    predictors = Predictors.of(words)
    surprisal = words.with_two_before(bits)
    full = np.hstack([predictors.base, surprisal])
    held_out = delta_ll(times, predictors.base, surprisal, words.stories)
    rows = np.isfinite(held_out)
    assert rows.sum() == 6 * 58 - 3 - 1
    base = np.where(rows[:, None], predictors.base, np.nan)
    expected = restated(times, full, words.stories) - restated(times, base, words.stories)
    np.testing.assert_allclose(held_out[rows], expected[rows], rtol=0, atol=1e-9)
    measures = likelihood_measures(bits, times, words, predictors)
    assert measures["delta_ll"] == pytest.approx(expected[rows].mean(), abs=1e-9)
    short = np.where(rows[:, None], predictors.short, np.nan)
    expected = restated(times, np.hstack([short, surprisal]), words.stories) - restated(times, short, words.stories)
    assert measures["delta_ll_short"] == pytest.approx(np.nanmean(expected), abs=1e-9)
    assert measures["delta_ll"] > 0.01


def test_fifths_by_frequency_are_all_words_and_the_rarest_come_first():
    words, bits, times = made_up(n_words=62)
    rarest = words.log_frequency < np.quantile(words.log_frequency, 0.2)
    times = np.where(rarest, times + 20 * bits, times)
    measures = likelihood_measures(bits, times, words, Predictors.of(words))
    fifths = [measures[f"delta_ll_frequency_{index}"] for index in range(1, 6)]
    assert np.mean(fifths) == pytest.approx(measures["delta_ll"])
    assert np.argmax(np.abs(fifths)) == 0


def test_partial_r_is_that_of_residuals():
    words, bits, times = made_up()
    bits[7] = np.nan
    known = np.column_stack([words.length, words.log_frequency])
    rows = np.flatnonzero((words.zone > 1) & np.isfinite(bits))
    controls = np.hstack([known[rows], known[rows - 1]])
    residuals = [y[rows] - LinearRegression().fit(controls, y[rows]).predict(controls) for y in (bits, times)]
    assert partial_correlation(bits, times, words) == pytest.approx(np.corrcoef(*residuals)[0, 1], abs=1e-12)


def test_surprisals_that_tell_nothing_gain_nothing():
    """Of shuffled surprisals held-out stories profit no more than by chance: ΔLL is not above 0 on average."""
    words, bits, times = made_up(n_stories=8)
    predictors, rng = Predictors.of(words), np.random.default_rng(1)
    gains = [likelihood_measures(rng.permutation(bits), times, words, predictors)["delta_ll"] for _ in range(30)]
    assert np.mean(gains) < 0
    assert likelihood_measures(bits, times, words, predictors)["delta_ll"] > max(gains)


def test_too_few_stories_or_words_have_no_delta_ll():
    words, bits, times = made_up(n_stories=2)
    assert [*likelihood_measures(bits, times, words, Predictors.of(words))] == ["partial"]
    words, bits, times = made_up(n_stories=3, n_words=9)
    assert [*likelihood_measures(bits, times, words, Predictors.of(words))] == ["partial"]


def test_without_frequencies_there_are_no_predictors():
    assert Predictors.of(Words.of(stimuli_of("a b c"), None)) is None


def test_baselines_of_reading_are_lengths_and_rarities_of_words():
    benchmark, store = benchmark_named("demo-reading"), DataStore(cache=Path("unused"))
    experiment = benchmark.experiment(store)
    assert baseline_names(experiment) == ("baseline/word-length",)
    counted = replace(experiment.measured, log_frequency=np.linspace(20, 0, len(experiment.stimuli)))
    experiment = replace(experiment, measured=counted)
    assert baseline_names(experiment) == ("baseline/word-length", "baseline/word-rarity")
    length, rarity = (score_baseline(name, benchmark, experiment, GROUPED) for name in baseline_names(experiment))
    lengths = [len(word) for word in experiment.stimuli.texts]
    assert length.raw == pytest.approx(np.corrcoef(lengths, counted.realigned)[0, 1], abs=1e-12)
    assert rarity.raw == pytest.approx(-np.corrcoef(counted.log_frequency, counted.realigned)[0, 1], abs=1e-12)
    assert (length.subject, length.ceiling, length.warnings) == ("baseline/word-length", experiment.ceiling, ())
    assert length.interval.low < length.raw < length.interval.high
