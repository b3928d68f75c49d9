"""Baselines, unique variance and the sensitivity table: planted answers are recovered."""

from dataclasses import replace

import numpy as np
import pytest

from scoring.datasets.base import Experiment
from scoring.metrics.part_fits import fit_parts
from scoring.metrics.sensitivity import sensitivity
from scoring.metrics.unique_variance import unique_variance
from scoring.protocols import BRAIN_SCORE, GROUPED, PAPER, SHUFFLED, LayerRule
from scoring.recording import Recording, Timeline, Units
from scoring.regression.gram import Gram
from scoring.subjects import baselines
from scoring.types import Passage, Stimuli

RNG = np.random.default_rng(3)
N_TOPICS, N_PASSAGES, N_SENTENCES = 8, 3, 4
N = N_TOPICS * N_PASSAGES * N_SENTENCES


def sentences():
    """96 sentences of different lengths in 24 passages about 8 topics."""
    rng = np.random.default_rng(1)
    passages, groups = [], []
    for topic in range(N_TOPICS):
        for index in range(N_PASSAGES):
            name = f"{topic}.{index}"
            texts = [f"{name}.{place} " + "so " * rng.integers(0, 12) + "it is." for place in range(N_SENTENCES)]
            passages.append(Passage.join(name, texts))
            groups += [str(topic)] * N_SENTENCES
    return Stimuli(ids=tuple(map(str, range(N))), passages=tuple(passages), groups=tuple(groups))


STIMULI = sentences()


def experiment(values, participants=None):
    owners = participants or ("p",) * values.shape[1]
    return Experiment(stimuli=STIMULI, measured=Recording.of(values, Units.numbered(owners)), ceiling=None)


def raw(layers, measured, rules=GROUPED.brain, **options):
    (part,) = fit_parts(layers, experiment(measured), rules, n_folds=4, **options)
    return float(np.median(part.of_chosen("test_r"), axis=1).mean())


def autocorrelated(n_units=12):
    """Responses that drift within passages and know nothing of any text."""
    return baselines.oasm(STIMULI, 1.8) @ RNG.standard_normal((N, n_units)) + 0.05 * RNG.standard_normal((N, n_units))


def test_the_autocorrelation_baseline_knows_which_stimuli_stand_near_one_another_and_nothing_else():
    features = baselines.oasm(STIMULI, 0.9)
    names = [passage.name for passage in STIMULI.passages for _ in passage.spans]
    together = np.array(names)[:, None] == np.array(names)
    assert (features[~together] == 0).all()
    np.testing.assert_allclose(features.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.diag(baselines.oasm(STIMULI, 0.1)), 1, atol=1e-6)


@pytest.mark.parametrize("protocol", [GROUPED, SHUFFLED, PAPER], ids=lambda protocol: protocol.name)
def test_the_autocorrelation_baseline_wins_where_neighbours_are_on_both_sides_and_only_there(protocol):
    layers = {f"width.{width}": baselines.oasm(STIMULI, width) for width in (0.1, 0.9, 1.8)}
    rules = replace(protocol.brain, layer=LayerRule.NESTED)
    found = raw(layers, autocorrelated(), rules)
    assert found == 0 if protocol is GROUPED else found > 0.5


def test_what_is_chosen_for_a_baseline_is_chosen_within_the_training_rows():
    """Changing the responses of the outer test rows changes no choice."""
    layers = {f"width.{width}": baselines.oasm(STIMULI, width) for width in (0.1, 0.9, 4.8)}
    rules = replace(PAPER.brain, layer=LayerRule.NESTED, split=replace(SHUFFLED.brain.split, n_folds=4))
    Y = autocorrelated()
    (before,) = fit_parts(layers, experiment(Y), rules, n_folds=4)
    changed = Y.copy()
    changed[before.data.folds[2].test] = 100 * RNG.standard_normal((N // 4, Y.shape[1]))
    (after,) = fit_parts(layers, experiment(changed), rules, n_folds=4)
    assert before.chosen[2] == after.chosen[2]
    assert "width.0.1" not in before.chosen


def test_nuisance_predicts_what_follows_the_length_of_sentences():
    lengths = np.array([[len(text.split()), len(text)] for text in STIMULI.texts], float)
    Y = lengths @ RNG.standard_normal((2, 8)) + RNG.standard_normal((N, 8))
    assert raw({"nuisance": baselines.nuisance(STIMULI)}, Y, standardise=True) > 0.8


def test_nuisance_has_a_column_for_each_position_and_on_a_timeline_the_word_rate():
    features = baselines.nuisance(STIMULI)
    assert features.shape == (N, 2 + N_SENTENCES)
    np.testing.assert_array_equal(features[:N_SENTENCES, 2:], np.eye(N_SENTENCES))
    moments = (np.array([0, 1, 2]), np.array([3]), np.array([], dtype=np.intp))
    timeline = Timeline(stimuli=moments, runs=("a",) * 3, rows=np.arange(3))
    assert baselines.nuisance(STIMULI, timeline)[:5, -1].tolist() == [3, 3, 3, 1, 0]


def test_random_features_are_worth_nothing():
    found = [raw({"random": baselines.random(STIMULI, seed=seed)}, RNG.standard_normal((N, 40))) for seed in range(6)]
    assert abs(np.mean(found)) < 0.06


def nuisance_part():
    lengths = np.array([[len(text)] for text in STIMULI.texts], float)
    return (lengths - lengths.mean()) / lengths.std()


def variance(X, Y, participants=None):
    measured = experiment(Y, participants)
    layers = {"layer": X.astype(np.float32)}
    fits = fit_parts(layers, measured, GROUPED.brain, n_folds=4)
    return unique_variance(layers, fits, measured, GROUPED.brain)


def test_a_model_that_only_knows_lengths_explains_nothing_beyond_them():
    Y = nuisance_part() @ RNG.standard_normal((1, 10)) + 0.5 * RNG.standard_normal((N, 10))
    X = nuisance_part() @ RNG.standard_normal((1, 16)) + 0.01 * RNG.standard_normal((N, 16))
    found = variance(X, Y)
    assert found.nuisance > 0.4
    assert abs(found.unique) < 0.05


def test_what_a_model_knows_beyond_lengths_is_found():
    X = RNG.standard_normal((N, 6))
    Y = nuisance_part() @ np.ones((1, 10)) + X @ RNG.standard_normal((6, 10)) + 0.3 * RNG.standard_normal((N, 10))
    found = variance(X, Y, ("p",) * 5 + ("q",) * 5)
    assert found.joint > 0.8
    assert found.unique > 0.4
    assert found.nuisance < 0.4


def table(layers, Y, rules=GROUPED.brain, participants=None):
    measured = experiment(Y, participants)
    fits = fit_parts(layers, measured, rules, n_folds=4)
    return {variant.name: variant for variant in sensitivity(layers, fits, measured.measured, rules)}


def test_the_sensitivity_table_changes_one_choice_at_a_time():
    X = RNG.standard_normal((N, 6)).astype(np.float32) * np.array([1, 1, 1, 1, 1, 300], np.float32)
    Y = X[:, :5] @ RNG.standard_normal((5, 12)) + RNG.standard_normal((N, 12))
    found = table({"layer": X}, Y, participants=("p",) * 3 + ("q",) * 9)
    assert list(found) == ["pooled-units", "features-standardised", "components-50", "penalty-shared"]
    whole = raw({"layer": X}, Y)
    assert abs(found["features-standardised"].raw - whole) > 0.001
    assert found["pooled-units"].raw == pytest.approx(whole)
    assert all(variant.raw > 0.5 for variant in found.values())


def test_what_cannot_be_tried_says_why():
    X = RNG.standard_normal((N, 6)).astype(np.float32)
    Y = X @ RNG.standard_normal((6, 5)) + RNG.standard_normal((N, 5))
    assert "inner products" in table({"layer": Gram.of(X)}, Y)["features-standardised"].reason
    assert "no penalty" in table({"block": X}, Y, BRAIN_SCORE.brain)["penalty-shared"].reason
    assert table({"layer": X}, Y, PAPER.brain)["participants"].raw is not None
