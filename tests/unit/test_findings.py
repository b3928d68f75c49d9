"""Layer curves, consistency and trajectories: planted answers come back, missing ones are counted."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from scoring.analysis.answers import answer
from scoring.analysis.consistency import consistency
from scoring.analysis.correlate import Models
from scoring.analysis.layers import Curve, CurvePair, compare_layers
from scoring.analysis.question import Kind, Question
from scoring.analysis.rank_correlation import _sums
from scoring.analysis.table import AnalysedModel, Filters, ModelTable
from scoring.analysis.trajectory import trajectory
from scoring.errors import AnalysisTooSmall, PropertyConstant
from scoring.published import paper

MAIN = [model for model in paper.models() if model.in_main_25]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def curve(name, raws):
    return Curve(name=name, depths=np.linspace(0, 1, len(raws)), raws=np.array(raws, dtype=float))


def pair(base, number, raws, tuned_raws):
    return CurvePair(base=curve(base, raws), tuned=curve(f"{base}-tuned{number}", tuned_raws))


def test_curves_of_different_lengths_are_compared_at_equal_depths():
    found = compare_layers([pair("a", 0, [0.0, 1.0], [0.0, 0.5, 1.0, 1.5, 2.0])])
    assert [point.depth for point in found.curve] == pytest.approx(np.linspace(0, 1, 21))
    assert [point.difference for point in found.curve] == pytest.approx(np.linspace(0, 1, 21))
    assert (found.n_pairs, found.n_bases) == (1, 1)


def test_the_peak_of_each_model_is_where_its_curve_is_highest():
    (peaks,) = compare_layers([pair("a", 0, [0.1, 0.3, 0.2], [0.1, 0.2, 0.2, 0.4, 0.3])]).peaks
    assert (peaks.base_depth, peaks.tuned_depth) == (0.5, 0.75)


def test_an_undefined_layer_leaves_its_depth_out_and_no_other():
    found = compare_layers([pair("a", 0, [np.nan, 0.2, 0.3], [0.1, 0.2, 0.3])])
    assert [point.n for point in found.curve] == [0] * 10 + [1] * 11
    assert np.isnan(found.curve[0].difference)


def test_differences_have_intervals_from_five_bases_on(rng):
    pairs = [pair(f"base{number}", 0, [0.1, 0.2], [0.2, 0.3] + 0.01 * rng.standard_normal(2)) for number in range(5)]
    found = compare_layers(pairs).curve[0]
    assert found.low < found.difference < found.high
    assert found.difference == pytest.approx(0.1, abs=0.02)
    few = compare_layers(pairs[:4])
    assert (few.curve[0].low, few.curve[0].high) == (None, None)
    assert [warning.code for warning in few.warnings] == ["few_bases"]


def test_pairs_with_two_bases_of_one_training_count_once():
    pairs = [pair(f"base{number}", 0, [0.1, 0.2], [0.2, 0.3]) for number in range(6)]
    assert compare_layers(pairs).n_bases == 6
    found = compare_layers([replace(one, root="first") for one in pairs])
    assert (found.n_bases, found.curve[0].low) == (1, None)


def test_curves_of_several_tunings_are_compared_with_a_warning():
    curves = {name: curve(name, [0.1, 0.2]) for name in ("base", "a", "b")}
    tuned = [AnalysedModel(id=name, base="base", tuning=how) for name, how in (("a", "instruct"), ("b", "ablation"))]
    models = (AnalysedModel(id="base"), *tuned)
    table = ModelTable(protocol="grouped", models=models, benchmarks=("x",), averaged=(), curves={"x": curves})
    found = answer(Question(kind=Kind.LAYERS), table)
    (told,) = [one.detail for one in found.warnings if one.code == "mixed_tuning"]
    assert told.startswith("2 pairs are of several tunings (1 ablation, 1 instruct)")
    one_tuning = answer(Question(kind=Kind.LAYERS, filters=Filters(tunings=("instruct",))), table)
    assert "mixed_tuning" not in [one.code for one in one_tuning.warnings]


def test_without_layer_curves_nothing_is_compared():
    with pytest.raises(AnalysisTooSmall, match="no pair has a layer curve"):
        compare_layers([])


def of_bases(scores, base_of):
    return np.array([np.nan if base is None else scores[base] for base in base_of], dtype=float)


def published(brain, behaviour):
    names = [model.name for model in MAIN]
    base_of = [names.index(model.base) if model.base else None for model in MAIN]
    return consistency(
        np.array([brain(model) for model in MAIN], dtype=float),
        np.array([behaviour(model) for model in MAIN], dtype=float),
        Models(bases=[model.root for model in MAIN], families=[model.family for model in MAIN]),
        of_bases=(
            of_bases([brain(model) for model in MAIN], base_of),
            of_bases([behaviour(model) for model in MAIN], base_of),
        ),
    )


def test_brain_and_behaviour_of_the_published_models():
    found = published(lambda model: model.average, lambda model: model.scores["futrell2018"])
    expected = stats.pearsonr(
        [model.average for model in MAIN], [model.scores["futrell2018"] for model in MAIN]
    ).statistic
    assert found.over_models.whole.r == pytest.approx(expected)
    assert (found.over_models.whole.n, found.changes.n, found.changes.n_bases) == (25, 17, 8)


def test_changes_that_go_together_are_found(rng):
    base = rng.standard_normal(6)
    brain = np.concatenate([base, base + np.arange(1, 7)])
    behaviour = np.concatenate([rng.permutation(base), np.zeros(6)])
    behaviour[6:] = behaviour[:6] + np.arange(2, 14, 2)
    models = Models(bases=list("abcdef") * 2, families=["t"] * 12)
    found = consistency(
        brain, behaviour, models, of_bases=tuple(of_bases(one, (*[None] * 6, *range(6))) for one in (brain, behaviour))
    )
    assert found.changes.r == pytest.approx(1.0)


def test_with_three_pairs_changes_have_a_reason_instead(rng):
    brain, behaviour = rng.standard_normal((2, 6))
    models = Models(bases=list("abcabc"), families=["t"] * 6)
    found = consistency(
        brain,
        behaviour,
        models,
        of_bases=tuple(of_bases(one, (None, None, None, 0, 1, 2)) for one in (brain, behaviour)),
    )
    assert (found.changes, found.changes_reason) == (None, "3 pairs with both scores; 4 are needed")


def test_the_rank_correlation_of_few_models_has_an_exact_p(rng):
    brain, behaviour = rng.standard_normal((2, 5))
    nowhere = np.full(5, np.nan)
    models = Models(bases=list("abcde"), families=["t"] * 5)
    found = consistency(brain, behaviour, models, of_bases=(nowhere, nowhere))
    orders = [stats.spearmanr(brain, behaviour[list(order)]).statistic for order in permutations(range(5))]
    assert found.rank == pytest.approx(orders[0])
    assert found.rank_p == pytest.approx(np.mean(np.abs(orders) >= abs(orders[0]) - 1e-9))


def test_a_score_that_does_not_vary_is_refused():
    with pytest.raises(PropertyConstant, match="the property is the same"):
        published(lambda model: 0.2, lambda model: model.average)


def test_a_rising_trajectory_is_in_order():
    found = trajectory(
        np.array([300, 100, 200, 400, 0]), np.array([0.3, 0.1, 0.2, 0.4, 0.05]), ["instruct"] * 5
    ).series[0]
    assert [point.step for point in found.points] == [0, 100, 200, 300, 400]
    assert (found.change, found.peak_step, found.rank) == pytest.approx((0.35, 400, 1.0))
    assert found.p == pytest.approx(2 / 120), "two of 120 orders are as ordered"


@pytest.mark.parametrize("n", range(3, 8))
@pytest.mark.parametrize("n_levels", [2, 4, 100])
def test_p_of_a_course_is_the_share_of_all_orders_that_are_as_ordered_ties_or_not(n, n_levels, rng):
    steps = rng.permutation(n).astype(float)
    scores = np.append(rng.integers(n_levels, size=n - 2), [0, 1]).astype(float)
    found = trajectory(steps, scores, ["a"] * n).series[0]
    ranks = [stats.rankdata(values) - (n + 1) / 2 for values in (steps, scores)]
    seen = abs(ranks[0] @ ranks[1]) - 1e-9
    expected = np.mean([abs(ranks[0] @ ranks[1][list(order)]) >= seen for order in permutations(range(n))])
    assert found.p == pytest.approx(expected, abs=1e-12)
    assert found.rank == pytest.approx(stats.spearmanr(steps, scores).statistic)


def test_the_orders_of_series_with_equal_ranks_are_tried_once(rng):
    _sums.cache_clear()
    scores = np.concatenate([rng.permutation(7) for _ in range(200)]).astype(float)
    found = trajectory(np.tile(np.arange(7.0), 200), scores, [f"m{place}" for place in np.repeat(np.arange(200), 7)])
    assert (len(found.series), _sums.cache_info().misses) == (200, 1)


def test_series_stand_beside_one_another_and_short_ones_are_left_out():
    steps = np.array([0, 1, 2, 0, 1, 2, 0, 1.0])
    found = trajectory(steps, np.array([1, 2, 3, 3, 2, 1, 0, 1.0]), ["a"] * 3 + ["b"] * 3 + ["c"] * 2)
    assert [(series.name, series.change) for series in found.series] == [("a", 2.0), ("b", -2.0)]
    assert (found.n_short, found.n_missing) == (2, 0)


def test_many_steps_take_spearmans_approximation(rng):
    steps, scores = np.arange(12.0), rng.standard_normal(12)
    found = trajectory(steps, scores, ["a"] * 12).series[0]
    assert (found.rank, found.p) == pytest.approx(tuple(stats.spearmanr(steps, scores)))


def test_rows_without_a_step_are_counted_and_two_steps_are_too_few():
    steps = np.array([0, 1, np.nan, 2])
    assert trajectory(steps, np.arange(4.0), ["a"] * 4).n_missing == 1
    with pytest.raises(AnalysisTooSmall, match="no model has scores at 3 training steps"):
        trajectory(steps[:3], np.arange(3.0), ["a"] * 3)
