"""Correlations over models: the published numbers, and what few and related models allow to say."""

import numpy as np
import pytest
from scipy import stats

from scoring.analysis import correlate as module
from scoring.analysis.correlate import Models, correlate, false_discovery
from scoring.analysis.intervals import correlation_interval
from scoring.analysis.moments import cluster_moments, correlations
from scoring.errors import AnalysisTooSmall, PropertyConstant
from scoring.properties import Tuning
from scoring.published import paper

MAIN = [model for model in paper.models() if model.in_main_25]
TUNED = [model for model in MAIN if model.tuning is Tuning.INSTRUCT]

PROPERTIES = {
    "log10_parameters": lambda model: np.log10(model.parameters),
    "log10_width": lambda model: np.log10(model.width),
    "mmlu": lambda model: model.mmlu,
    "bbh": lambda model: model.bbh,
    "wikitext2_loss": lambda model: model.wikitext2_loss,
    "average": lambda model: model.average,
    **{name: (lambda model, name=name: model.scores[name]) for name in paper.BENCHMARKS},
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def column(name, models):
    return np.array([PROPERTIES[name](model) for model in models], dtype=float)


def published(score, prop, models=TUNED, held=()):
    chosen = Models(
        bases=[model.root for model in models],
        families=[model.family for model in models],
        held={name: column(name, models) for name in held},
    )
    return correlate(column(score, models), column(prop, models), chosen)


GOLDEN = [
    ("average", "log10_parameters", 0.946, 1.0e-8),
    ("average", "mmlu", 0.805, 9.6e-5),
    ("average", "bbh", 0.379, 0.134),
    ("average", "log10_width", 0.968, 2.3e-10),
    ("pereira2018", "log10_parameters", 0.908, 4.7e-7),
    ("blank2014", "log10_parameters", 0.192, 0.460),
    ("wehbe2014", "log10_parameters", 0.662, 0.0038),
    ("mmlu", "log10_parameters", 0.878, 3.7e-6),
]


@pytest.mark.parametrize(("score", "prop", "r", "p"), GOLDEN)
def test_published_correlations_over_17_tuned_models(score, prop, r, p):
    found = published(score, prop).whole
    assert found.r == pytest.approx(r, abs=0.002)
    assert found.p == pytest.approx(p, rel=0.02)
    assert (found.n, found.n_bases) == (17, 8)


def test_size_over_all_25_models():
    found = published("average", "log10_parameters", MAIN).whole
    assert (round(found.r, 3), found.n) == (0.920, 25)


def test_the_loss_correlates_with_the_sign_that_the_table_gives_not_with_the_one_in_the_text():
    found = published("average", "wikitext2_loss").whole
    assert found.r == pytest.approx(+0.545, abs=0.002)
    assert found.p == pytest.approx(0.024, abs=0.0005)


@pytest.mark.parametrize(
    ("prop", "given", "r"),
    [
        ("mmlu", "log10_parameters", -0.159),
        ("log10_parameters", "mmlu", 0.841),
        ("log10_parameters", "log10_width", -0.171),
        ("log10_width", "log10_parameters", 0.643),
    ],
)
def test_published_partial_correlations(prop, given, r):
    (partial,) = published("average", prop, held=[given]).partials
    assert partial.given == given
    assert partial.coefficient.r == pytest.approx(r, abs=0.002)


def test_world_knowledge_is_not_distinguishable_from_zero_once_size_is_held():
    (partial,) = published("average", "mmlu", held=["log10_parameters"]).partials
    independent, of_bases = partial.coefficient.independent, partial.coefficient.interval
    assert (independent.low, independent.high) == pytest.approx((-0.61, 0.37), abs=0.005)
    assert of_bases.low < independent.low < 0 < independent.high < of_bases.high, "related models say less"


def test_inside_families_size_explains_t5_alone():
    families = {one.family: one for one in published("average", "log10_parameters").by_family}
    assert (families["t5"].n, families["llama"].n) == (12, 5)
    assert families["t5"].r == pytest.approx(0.942, abs=0.002)
    assert families["llama"].r == pytest.approx(0.219, abs=0.002)


def test_families_that_disagree_are_warned_of():
    codes = [warning.code for warning in published("average", "log10_parameters").warnings]
    assert codes == ["shared_bases", "few_bases", "families_disagree"]


def test_without_a_family_r_is_that_of_the_others():
    found = published("average", "log10_parameters")
    assert found.range_without == pytest.approx((0.219, 0.942), abs=0.002)
    assert [one.family for one in found.without_family] == ["t5", "llama"]


def test_the_interval_rests_on_the_eight_bases():
    found = published("average", "log10_parameters").whole
    assert found.interval.method == "base-jackknife-fisher-z-t"
    assert found.interval.n == 8
    assert found.interval.low < found.r < found.interval.high
    assert (found.interval.low, found.interval.high) == pytest.approx((0.8525, 0.9806), abs=0.0005)


def test_the_percentile_interval_is_that_of_rows_of_drawn_bases_put_together(rng):
    found = published("average", "log10_parameters").bootstrap
    x, y = column("average", TUNED), column("log10_parameters", TUNED)
    bases = np.array([model.root for model in TUNED])
    names = np.unique(bases)
    drawn = []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(bases == name) for name in rng.choice(names, len(names))])
        drawn.append(np.corrcoef(x[rows], y[rows])[0, 1])
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.006)
    assert (found.low, found.high) == pytest.approx((0.891, 0.985), abs=0.001), "as a million draws have it"


def test_size_and_width_are_called_collinear():
    warnings = published("average", "log10_parameters", held=["log10_width"]).warnings
    assert "collinear" in [warning.code for warning in warnings]


def test_a_partial_correlation_is_that_of_what_regressions_leave(rng):
    X = rng.standard_normal((40, 4)) @ rng.standard_normal((4, 4))
    moments = cluster_moments(X, [str(row // 4) for row in range(40)])
    design = np.column_stack([np.ones(40), X[:, 2:]])
    left = X[:, :2] - design @ np.linalg.lstsq(design, X[:, :2], rcond=None)[0]
    assert correlations(moments.sum(axis=0)) == pytest.approx(stats.pearsonr(*left.T).statistic, abs=1e-12)


def test_leaving_a_cluster_out_of_the_moments_is_leaving_out_its_rows(rng):
    X, clusters = rng.standard_normal((30, 2)), np.array([str(row % 6) for row in range(30)])
    moments = cluster_moments(X, clusters)
    without = correlations(moments.sum(axis=0) - moments[2])
    assert without == pytest.approx(np.corrcoef(X[clusters != "2"].T)[0, 1], abs=1e-12)


def test_p_is_scipys(rng):
    x, y = rng.standard_normal((2, 23))
    found = correlate(y, x, Models(bases=list(map(str, range(23))), families=["a"] * 23)).whole
    assert found.p == pytest.approx(stats.pearsonr(x, y).pvalue, rel=1e-9)


def test_the_interval_covers_what_was_planted_about_as_often_as_it_says(rng):
    """Eight bases with one to five models each; a percentile bootstrap covers 88-92 % here."""
    hits = 0
    for _ in range(400):
        clusters = np.repeat(np.arange(8), rng.choice([1, 2, 2, 2, 5], size=8))
        x = rng.standard_normal(8)[clusters]
        y = 0.8 * x + 0.6 * (0.9 * rng.standard_normal(8)[clusters] + 0.436 * rng.standard_normal(len(clusters)))
        interval, _ = correlation_interval(cluster_moments(np.column_stack([y, x]), list(map(str, clusters))))
        hits += interval.low <= 0.8 <= interval.high
    assert 0.92 <= hits / 400 <= 0.98


def test_below_five_bases_there_is_no_interval_and_a_reason(rng):
    x, y = rng.standard_normal((2, 12))
    found = correlate(y, x, Models(bases=[str(row % 4) for row in range(12)], families=["a"] * 12)).whole
    assert found.interval is None
    assert found.interval_reason == "4 bases are too few; 5 are needed"


def test_missing_values_are_left_out_and_counted(rng):
    x, y = rng.standard_normal((2, 10))
    x[3] = np.nan
    found = correlate(y, x, Models(bases=list(map(str, range(10))), families=["a"] * 10))
    assert (found.whole.n, found.n_missing) == (9, 1)
    assert "incomplete" in [warning.code for warning in found.warnings]


def test_two_models_are_too_few():
    models = Models(bases=["a", "b"], families=["t", "t"])
    with pytest.raises(AnalysisTooSmall, match="2 models are too few"):
        correlate(np.array([0.1, 0.2]), np.array([1.0, 2.0]), models)


@pytest.mark.parametrize(("which", "what"), [(0, "score"), (1, "property")])
def test_what_does_not_vary_is_refused(which, what, rng):
    values = rng.standard_normal((2, 6))
    values[which] = 0.3
    with pytest.raises(PropertyConstant, match=f"the {what} is the same for all 6 models"):
        correlate(*values, Models(bases=list("abcdef"), families=["t"] * 6))


def test_nothing_is_left_of_a_property_once_it_is_held_by_another_name(rng):
    x, y = rng.standard_normal((2, 12))
    models = Models(bases=list("abcdefghijkl"), families=["t"] * 12, held={"twice": 2 * x})
    (partial,) = correlate(y, x, models).partials
    assert (partial.coefficient, partial.reason) == (None, "nothing varies once twice is held")


def test_a_perfect_correlation_has_no_interval():
    x = np.arange(6.0)
    found = correlate(2 * x, x, Models(bases=list("abcdef"), families=["t"] * 6)).whole
    assert found.r == pytest.approx(1.0)
    assert found.interval is None


def test_adjusted_p_are_those_of_benjamini_and_hochberg():
    assert false_discovery([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.02, 0.04, 0.04, 0.02))
    assert false_discovery([]) == ()


def test_a_thousand_models_take_one_pass(rng):
    x, y = rng.standard_normal((2, 1000))
    bases = [str(row // 3) for row in range(1000)]
    found = module.coefficient(y, x, bases, [rng.standard_normal(1000)])
    assert (found.n, found.n_bases) == (1000, 334)
