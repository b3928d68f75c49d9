"""Correlations and their undefined cases, pooling, layer choice, reading times, ceilings, intervals."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from scoring.datasets.base import Experiment
from scoring.errors import DataMalformed, NumericalFailure
from scoring.metrics.correlation import constant_columns, pearson, pearson_columns
from scoring.metrics.linear_predictivity import predict_recording
from scoring.metrics.pooling import pooled
from scoring.metrics.reading_times import correlate_reading_times
from scoring.protocols import GROUPED, PAPER
from scoring.recording import Recording, Units
from scoring.regression.folds import Split, SplitKind, make_folds, refuse_text_in_two_groups
from scoring.reliability import from_item_variance
from scoring.responses import SurprisalKind, Surprisals
from scoring.results import Ceiling
from scoring.types import Passage, ReadingTimes, Stimuli
from scoring.uncertainty import jackknife_correlation

RNG = np.random.default_rng(0)
BY_GROUPS = Split(kind=SplitKind.GROUPS)


def test_pearson_of_columns_equals_scipy():
    Y, P = RNG.standard_normal((30, 4)), RNG.standard_normal((30, 4))
    expected = [scipy.stats.pearsonr(Y[:, unit], P[:, unit]).statistic for unit in range(4)]
    np.testing.assert_allclose(pearson_columns(Y, P, Y), expected, atol=1e-12)


def test_a_constant_response_is_nan_and_a_constant_prediction_zero():
    Y, P = RNG.standard_normal((20, 3)), RNG.standard_normal((20, 3))
    Y_train = RNG.standard_normal((50, 3))
    Y[:, 0] = 1.0
    P[:, 1] = 4.0
    r = pearson_columns(Y, P, Y_train)
    assert np.isnan(r[0])
    assert r[1] == 0.0
    assert abs(r[2]) > 0
    assert constant_columns(P, Y_train).tolist() == [False, True, False]


def test_pearson_leaves_out_what_is_missing():
    x, y = np.array([1.0, 2, np.nan, 4, 5]), np.array([2.0, 1, 7, np.nan, 6])
    assert pearson(x, y) == pytest.approx(scipy.stats.pearsonr([1, 2, 5], [2, 1, 6]).statistic)


def test_folds_keep_groups_whole_and_in_order_of_appearance():
    groups = [f"g{index // 5}" for index in range(60)]
    folds = make_folds(BY_GROUPS, groups, groups, n_folds=4)
    assert sorted({groups[row] for row in folds[0].test}) == ["g0", "g1", "g2"]
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(60))
    assert all(sorted([*fold.train, *fold.test]) == list(range(60)) for fold in folds)


def test_too_few_groups_or_rows_are_refused():
    with pytest.raises(DataMalformed, match="2 groups cannot make 4 folds"):
        make_folds(BY_GROUPS, ["a"] * 30 + ["b"] * 30, ["a"] * 60, n_folds=4)
    with pytest.raises(DataMalformed, match="has 2 test rows"):
        make_folds(BY_GROUPS, ["a"] * 30 + ["b"] * 2, ["a"] * 32, n_folds=2)


def test_one_text_in_two_groups_is_refused():
    with pytest.raises(DataMalformed, match=r"'The same\.' stands in the groups 'a' and 'b'"):
        refuse_text_in_two_groups(["The same.", "Another.", "The same."], ["a", "a", "b"])
    refuse_text_in_two_groups(["the", "same", "the"], ["a", "a", "b"])


def test_pooling_is_median_over_units_then_mean_over_folds_then_participants():
    r = np.array([[0.1, 0.2, 0.9, 0.5, 0.7], [0.3, np.nan, 0.1, 0.0, 0.2]])
    expected = np.mean([np.mean([0.2, 0.2]), np.mean([0.6, 0.1])])
    assert pooled(r, ("a", "a", "a", "b", "b")) == pytest.approx(expected)


def test_a_participant_without_any_unit_in_a_fold_is_a_failure():
    with pytest.raises(NumericalFailure, match="participant b"):
        pooled(np.array([[0.1, np.nan]]), ("a", "b"))


GROUPED_RULES = GROUPED.brain


def experiment(values, groups, parts=None):
    """A recording of one participant of made-up stimuli in these groups."""
    texts = [f"Text {row}." for row in range(len(values))]
    stimuli = Stimuli(
        ids=tuple(texts), passages=tuple(Passage.join(text, [text]) for text in texts), groups=tuple(groups)
    )
    recording = Recording.of(values, Units.numbered(("p",) * values.shape[1]), parts)
    return Experiment(stimuli=stimuli, measured=recording, ceiling=Ceiling.none("made up"))


def predicted(layers, values, groups, *, n_folds=4, parts=None, rules=GROUPED_RULES):
    return predict_recording(layers, experiment(values, groups, parts), rules, n_folds=n_folds)


def test_the_planted_layer_is_chosen_and_a_constant_one_is_undefined():
    X = RNG.standard_normal((80, 10)).astype(np.float32)
    layers = {
        "embed": np.ones((80, 10), np.float32),
        "noise": RNG.standard_normal((80, 10)).astype(np.float32),
        "planted": X,
    }
    Y = X @ RNG.standard_normal((10, 6)) + 0.1 * RNG.standard_normal((80, 6))
    outcome = predicted(layers, Y, [f"g{row // 5}" for row in range(80)], n_folds=4)
    assert outcome.layer.selected == ("planted",) * 4
    assert outcome.raw > 0.95
    assert (outcome.layers[0].name, outcome.layers[0].reason) == ("embed", "undefined")
    assert outcome.layer.optimistic.name == "planted"
    assert [point.depth for point in outcome.layers] == [0, 0.5, 1]


def test_a_shuffled_recording_scores_near_zero():
    """On average over shufflings: the units share ten dimensions, so that a single one may stray by .15."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((160, 10)).astype(np.float32)
    Y = X @ rng.standard_normal((10, 40))
    groups = [f"g{row // 5}" for row in range(160)]
    raws = [predicted({"only": X}, Y[rng.permutation(160)], groups, n_folds=8).raw for _ in range(12)]
    assert abs(np.mean(raws)) < 0.06


def test_ties_between_layers_take_the_shallower():
    X = RNG.standard_normal((60, 4)).astype(np.float32)
    Y = X @ RNG.standard_normal((4, 3)) + RNG.standard_normal((60, 3))
    outcome = predicted({"shallow": X, "deep": X.copy()}, Y, [f"g{row // 5}" for row in range(60)])
    assert set(outcome.layer.selected) == {"shallow"}


def test_fit_statistics_are_of_the_layers_that_were_chosen():
    """The noise layer's penalties stand at the edge of the grid; as it is never chosen, they are not counted."""
    X = RNG.standard_normal((80, 10)).astype(np.float32)
    layers = {"noise": RNG.standard_normal((80, 3)).astype(np.float32), "planted": X}
    Y = X @ RNG.standard_normal((10, 6)) + 0.1 * RNG.standard_normal((80, 6))
    groups = [f"g{row // 5}" for row in range(80)]
    both = predicted(layers, Y, groups, n_folds=4)
    alone = predicted({"planted": X}, Y, groups, n_folds=4)
    assert both.measures == alone.measures
    assert (alone.measures["n_features"], alone.measures["n_train"]) == (10, 60)
    noise = predicted({"noise": layers["noise"]}, Y, groups, n_folds=4)
    assert noise.measures["edge_rate"] > 0.3


def test_no_layer_that_varies_is_a_failure():
    with pytest.raises(NumericalFailure, match="no layer has features that vary"):
        predicted(
            {"flat": np.ones((60, 4), np.float32)},
            RNG.standard_normal((60, 3)),
            [f"g{row // 5}" for row in range(60)],
        )


def test_layers_that_vary_in_one_part_each_are_a_failure_that_says_so():
    X = RNG.standard_normal((120, 4)).astype(np.float32)
    first, second = X.copy(), X.copy()
    first[60:], second[:60] = 1, 1
    parts = {"a": np.arange(60), "b": np.arange(60, 120)}
    with pytest.raises(NumericalFailure, match="of every part"):
        predicted(
            {"first": first, "second": second},
            RNG.standard_normal((120, 3)),
            [f"g{row // 5}" for row in range(120)],
            parts=parts,
        )


def words(n_stories, n_words):
    passages = tuple(
        Passage.join(f"s{story}", [f"w{'o' * (index % 7)}" for index in range(n_words)]) for story in range(n_stories)
    )
    groups = tuple(passage.name for passage in passages for _ in passage.spans)
    return Stimuli(ids=tuple(map(str, range(n_stories * n_words))), passages=passages, groups=groups)


def surprisals(bits, boundary_bits=None, *, kind=SurprisalKind.CAUSAL):
    return Surprisals(
        sum_bits=bits,
        boundary_bits=boundary_bits,
        boundary_reason="no token marks the start of a word" if boundary_bits is None else None,
        n_tokens=np.full(len(bits), 2, dtype=np.intp),
        context_tokens=np.arange(len(bits), dtype=np.intp),
        kind=kind,
    )


def reading(given, times, realigned, *, word_probability="boundary"):
    n = np.full(len(times), 30.0)
    measured = ReadingTimes(published=times, realigned=realigned, n_readers=n, sd_ms=n, n_participants=30)
    rules = replace(GROUPED.reading, word_probability=word_probability)
    return correlate_reading_times(given, measured, words(6, 20), rules)


@pytest.mark.parametrize("rule", ["boundary", "sum"])
def test_reading_scores_keep_both_alignments_and_their_sign(rule):
    """The asked rule's bits are planted in the times; the other rule's are noise."""
    bits, other = RNG.gamma(2, 2, 120), RNG.gamma(2, 2, 120)
    shifted = np.concatenate([[np.nan], bits[:-1]])
    given = surprisals(other, bits) if rule == "boundary" else surprisals(bits, other)
    outcome = reading(given, 300 + 5 * shifted, 300 - 5 * bits, word_probability=rule)
    assert outcome.word_probability == rule
    assert outcome.raw == outcome.measures["pearson_realigned"] == pytest.approx(-1)
    assert abs(outcome.measures["pearson_published"]) < 0.3
    assert outcome.measures["surprisal_bits_mean"] == pytest.approx(bits.mean())
    assert outcome.measures["perplexity_word"] == pytest.approx(2 ** bits.mean())
    assert outcome.measures["perplexity_token"] == pytest.approx(2 ** (bits.mean() / 2))
    assert outcome.measures["n_without_time_published"] == 1
    assert outcome.warnings == ()


def test_plain_sums_stand_beside_the_boundary_rule():
    bits, times = RNG.gamma(2, 2, 120), RNG.normal(300, 30, 120)
    summed = bits + RNG.gamma(1, 1, 120)
    measures = reading(surprisals(summed, bits), times, times).measures
    assert measures["pearson_realigned"] == pytest.approx(np.corrcoef(bits, times)[0, 1])
    assert measures["pearson_realigned_sum"] == pytest.approx(np.corrcoef(summed, times)[0, 1])
    assert measures["surprisal_bits_mean_sum"] == pytest.approx(summed.mean())
    assert measures["perplexity_word_sum"] == pytest.approx(2 ** summed.mean())


def test_a_vocabulary_without_word_starts_is_scored_by_sums_and_warned_about():
    bits = RNG.gamma(2, 2, 120)
    outcome = reading(surprisals(bits), 300 + bits, 300 + bits)
    assert (outcome.word_probability, outcome.raw) == ("sum", pytest.approx(1))
    (warning,) = outcome.warnings
    assert warning.code == "boundary_not_applicable"
    assert "no token marks the start of a word" in warning.detail
    assert reading(surprisals(bits), 300 + bits, 300 + bits, word_probability="sum").warnings == ()


def test_perplexity_by_token_is_left_out_where_tokens_are_not_known():
    bits = RNG.gamma(2, 2, 120)
    unknown = replace(surprisals(bits, bits), n_tokens=np.zeros(120, dtype=np.intp))
    assert "perplexity_token" not in reading(unknown, 300 + bits, 300 + bits).measures
    assert "perplexity_token" in reading(surprisals(bits, bits), 300 + bits, 300 + bits).measures


def test_surprisals_that_are_not_causal_are_warned_about():
    bits = RNG.gamma(2, 2, 120)
    given = surprisals(bits, bits, kind=SurprisalKind.PSEUDO_LOG_LIKELIHOOD)
    (warning,) = reading(given, 300 + bits, 300 + bits).warnings
    assert (warning.code, "pseudo-log-likelihood" in warning.detail) == ("not_comparable", True)


@pytest.mark.parametrize("rule", ["boundary", "sum"])
def test_missing_surprisals_are_counted_and_warned_about(rule):
    bits = RNG.gamma(2, 2, 120)
    bits[:3] = np.nan
    outcome = reading(surprisals(bits, bits), 300 + bits, 300 + bits, word_probability=rule)
    assert outcome.n.stimuli == 117
    assert outcome.measures["n_without_surprisal"] == 3
    assert [warning.code for warning in outcome.warnings] == ["surprisal_missing"]


def stream(bits, times):
    """Three stories of four sentences under the rules of arXiv 2312.00575, and which words begin a sentence."""
    story = ["One", "two", "three.", "Four", "five.", "Six", "seven.", "Eight", "nine"]
    passages = tuple(Passage.join(f"s{index}", story) for index in range(3))
    groups = tuple(passage.name for passage in passages for _ in passage.spans)
    read = Stimuli(ids=tuple(map(str, range(27))), passages=passages, groups=groups, is_stream=True)
    n = np.full(27, 30.0)
    measured = ReadingTimes(published=times, realigned=times, n_readers=n, sd_ms=n, n_participants=30)
    starts = np.isin(np.arange(27) % 9, [0, 3, 5, 7])
    return correlate_reading_times(surprisals(bits), measured, read, PAPER.reading), starts


def test_the_study_drops_what_begins_a_sentence_and_the_sign():
    bits, times = RNG.gamma(2, 2, 27), RNG.normal(300, 30, 27)
    for signed in (times, 600 - times):
        outcome, starts = stream(bits, signed)
        r = np.corrcoef(bits[~starts], signed[~starts])[0, 1]
        assert outcome.raw == pytest.approx(abs(r))
        assert outcome.measures["pearson_published"] == pytest.approx(r)
        assert (outcome.n.stimuli, outcome.measures["n_sentence_starts_dropped"]) == (15, 12)
        assert outcome.measures["n_without_surprisal"] == 1
        assert [warning.code for warning in outcome.warnings] == (["sign_dropped"] if r < 0 else [])
        assert outcome.word_probability == "sum"


@pytest.mark.parametrize("rule", ["boundary", "sum"])
def test_equal_surprisals_are_a_failure(rule):
    given = surprisals(np.ones(120), np.ones(120))
    with pytest.raises(NumericalFailure, match="all surprisals are equal"):
        reading(given, RNG.standard_normal(120), RNG.standard_normal(120), word_probability=rule)


def test_a_subject_without_surprisals_is_a_failure():
    with pytest.raises(NumericalFailure, match="gave no surprisals"):
        reading(None, RNG.standard_normal(120), RNG.standard_normal(120))


def test_the_item_variance_ceiling_is_what_the_true_means_reach():
    true = RNG.normal(300, 30, 4000)
    readers = true + 120 * RNG.standard_normal((25, 4000))
    means, sd = readers.mean(axis=0), readers.std(axis=0, ddof=1)
    ceiling = from_item_variance(means, sd, np.full(4000, 25.0))
    assert ceiling.value == pytest.approx(np.corrcoef(true, means)[0, 1], abs=0.02)


def test_no_ceiling_where_means_are_noise_alone():
    readers = 120 * np.random.default_rng(3).standard_normal((25, 12))
    ceiling = from_item_variance(np.full(12, 1.0), readers.std(axis=0, ddof=1), np.full(12, 25.0))
    assert ceiling.value is None
    assert "noise" in ceiling.reason


def test_the_jackknife_covers_the_true_correlation_as_often_as_it_says():
    rng, covered, n_draws = np.random.default_rng(1), 0, 300
    clusters = [str(row // 30) for row in range(300)]
    for _ in range(n_draws):
        x = rng.standard_normal(300)
        y = 0.5 * x + np.sqrt(0.75) * rng.standard_normal(300)
        interval, reason = jackknife_correlation(lambda rows, x=x, y=y: pearson(x[rows], y[rows]), clusters)
        assert reason is None
        covered += interval.low <= 0.5 <= interval.high
    assert 0.91 <= covered / n_draws <= 0.985


@pytest.mark.parametrize(
    ("n_stories", "told"),
    [(1, "1 story is too few; 5 are needed"), (4, "4 stories are too few; 5 are needed"), (5, "±1 with or without")],
)
def test_no_interval_over_stories_says_why(n_stories, told):
    x, stories = RNG.standard_normal(40), [str(row % n_stories) for row in range(40)]
    interval, reason = jackknife_correlation(lambda rows: float(np.sign(x[rows] @ x[rows])), stories)
    assert interval is None
    assert told in reason
