"""Intervals and nulls from stored predictions: draws of passages, participants, permutations, shifts."""

from itertools import permutations

import numpy as np
import pytest
import scipy.stats

from scoring.bootstrap import draws, n_clusters_of
from scoring.metrics.correlation import pearson_columns
from scoring.metrics.part_fits import HeldOut, PartData
from scoring.metrics.pooling import pooled
from scoring.nulls import NullKind, null_test
from scoring.protocols import Pooling
from scoring.regression.folds import Fold
from scoring.uncertainty import interval_of, paired_difference

POOLINGS = (Pooling.PARTICIPANTS, Pooling.POOLED_UNITS, Pooling.MEAN_UNITS)


def held_out(Y, predictions, passages, *, n_folds, owners=None):
    """Folds of neighbouring passages; predictions (n_rows, n_units) are given for all rows."""
    names = list(dict.fromkeys(passages))
    fold_of = {
        name: fold
        for fold, block in enumerate(np.array_split(np.arange(len(names)), n_folds))
        for name in (names[i] for i in block)
    }
    fold_of_row = np.array([fold_of[passage] for passage in passages])
    folds = tuple(
        Fold(train=np.flatnonzero(fold_of_row != fold), test=np.flatnonzero(fold_of_row == fold))
        for fold in range(n_folds)
    )
    data = PartData(
        name="all",
        rows=np.arange(len(Y)),
        units=np.arange(Y.shape[1]),
        Y=Y,
        participants=tuple(owners or ["p"] * Y.shape[1]),
        regions=None,
        passages=tuple(passages),
        groups=tuple(passages),
        folds=folds,
    )
    return HeldOut(data=data, predictions=tuple(predictions[fold.test] for fold in folds))


def in_passages(n_passages, length=4):
    return [f"p{row // length}" for row in range(n_passages * length)]


def made(n_passages=24, *, n_units=7, n_folds=4, seed=0, effect=0.6):
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((4 * n_passages, n_units))
    P = effect * Y + rng.standard_normal(Y.shape)
    owners = ["a", "b", "a", "b", "b", "a", "a", "c"][:n_units]
    return held_out(Y, P, in_passages(n_passages), n_folds=n_folds, owners=owners)


def raw_of(part, pooling):
    r = [
        pearson_columns(part.data.Y[fold.test], prediction, part.data.Y[fold.train])
        for fold, prediction in zip(part.data.folds, part.predictions, strict=True)
    ]
    return pooled(np.stack(r), part.data.participants, pooling)


def drawn_by_rows(part, pooling, *, seed, n_draws):
    """Draws as their definition says: rows of drawn passages are stacked and correlated in float64."""
    data, found = part.data, np.empty((n_draws, len(part.data.folds), part.data.Y.shape[1]))
    for index, (fold, P) in enumerate(zip(data.folds, part.predictions, strict=True)):
        passages = np.array([data.passages[row] for row in fold.test])
        names = np.unique(passages)
        rng = np.random.default_rng([seed, 0, index])
        counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_draws)
        for draw, times in enumerate(counts):
            rows = np.concatenate([np.flatnonzero(passages == name) for name in np.repeat(names, times)])
            found[draw, index] = pearson_columns(data.Y[fold.test][rows], P[rows], data.Y[fold.train])
    return np.array([pooled(r, data.participants, pooling) for r in found])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_draws_are_the_scores_of_stacked_rows(pooling):
    part = made()
    found = draws([part], pooling, seed=3, n_draws=60)
    np.testing.assert_allclose(found, drawn_by_rows(part, pooling, seed=3, n_draws=60), atol=1e-5)


def test_constant_predictions_count_as_zero_and_constant_responses_not_at_all():
    """Whole columns and single passages that are constant, far from the mean of the others."""
    part = made(n_units=8, n_folds=4)
    Y, P = part.data.Y, np.concatenate(part.predictions)
    Y[:24, 0] = 2.0
    P[:, 1] = 4.0
    P[:24, 2] = np.repeat(np.arange(6.0), 4)
    P[:4, 3] += 1e4
    again = held_out(Y, P, part.data.passages, n_folds=4, owners=part.data.participants)
    for pooling in POOLINGS:
        found = draws([again], pooling, seed=0, n_draws=80)
        np.testing.assert_allclose(found, drawn_by_rows(again, pooling, seed=0, n_draws=80), atol=1e-5)


def test_draws_of_parts_are_averaged_and_the_same_seed_gives_the_same():
    first, second = made(seed=1), made(seed=2)
    both = draws([first, second], Pooling.PARTICIPANTS, seed=0, n_draws=40)
    np.testing.assert_array_equal(both, draws([first, second], Pooling.PARTICIPANTS, seed=0, n_draws=40))
    alone = draws([first], Pooling.PARTICIPANTS, seed=0, n_draws=40)
    assert np.std(both) < np.std(alone)
    assert not np.array_equal(alone, draws([first], Pooling.PARTICIPANTS, seed=1, n_draws=40))


def test_subjects_on_the_same_data_draw_the_same_passages():
    """A subject that is the other with a little noise: their draws move together, those of another seed do not."""
    part = made(n_folds=4)
    near = HeldOut(data=part.data, predictions=tuple(p + 0.01 * np.roll(p, 1, axis=0) for p in part.predictions))
    first = draws([part], Pooling.PARTICIPANTS, seed=5, n_draws=200)
    assert np.corrcoef(first, draws([near], Pooling.PARTICIPANTS, seed=5, n_draws=200))[0, 1] > 0.95
    assert np.corrcoef(first, draws([near], Pooling.PARTICIPANTS, seed=6, n_draws=200))[0, 1] < 0.3


def test_where_folds_test_one_passage_whole_folds_are_drawn():
    part = made(6, n_folds=6)
    fold_scores = [
        raw_of(HeldOut(data=_only(part.data, fold), predictions=(p,)), Pooling.PARTICIPANTS)
        for fold, p in enumerate(part.predictions)
    ]
    found = draws([part], Pooling.PARTICIPANTS, seed=0, n_draws=4000)
    assert n_clusters_of([part, part]) == 12
    assert found.mean() == pytest.approx(np.mean(fold_scores), abs=0.02)
    assert found.std() == pytest.approx(np.std(fold_scores) / np.sqrt(6), rel=0.06)


def _only(data, fold):
    values = {name: getattr(data, name) for name in data.__dataclass_fields__}
    return PartData(**{**values, "folds": (data.folds[fold],)})


MEAN_OF_TANH = float(np.tanh(0.3 + 0.3 * np.random.default_rng(9).standard_normal(1_000_000)).mean())


def clustered(rng, n_passages=48):
    """One unit whose response and prediction share the passage's mood, so that rows are not independent."""
    mood = np.repeat(rng.standard_normal((n_passages, 1)), 4, axis=0)
    both = rng.standard_normal((4 * n_passages, 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
    return held_out(both[:, :1] + mood, both[:, 1:] + mood, in_passages(n_passages), n_folds=2)


@pytest.mark.parametrize(
    ("n_passages", "method"),
    [(48, "passage-bootstrap"), (10, "passage-bootstrap-fisher-z-t"), (6, "passage-bootstrap-fisher-z-t")],
)
def test_the_interval_over_passages_covers_as_often_as_it_says(n_passages, method):
    rng, n_covered, n_made = np.random.default_rng(0), 0, 2000
    for _ in range(n_made):
        scores = np.tanh(0.3 + 0.3 * rng.standard_normal(n_passages))
        drawn = scores[rng.integers(n_passages, size=(300, n_passages))].mean(axis=1)
        interval, reason = interval_of([{"p": 0.3}], drawn, raw=scores.mean(), n_clusters=n_passages, seed=0)
        assert reason is None
        n_covered += interval.low <= MEAN_OF_TANH <= interval.high
    assert (interval.method, interval.n, interval.seed) == (method, n_passages, 0)
    assert 0.93 <= n_covered / n_made <= 0.97


def test_percentiles_of_few_passages_would_not_cover():
    rng, n_covered, n_made = np.random.default_rng(0), 0, 400
    for _ in range(n_made):
        scores = np.tanh(0.3 + 0.3 * rng.standard_normal(6))
        low, high = np.quantile(scores[rng.integers(6, size=(300, 6))].mean(axis=1), [0.025, 0.975])
        n_covered += low <= MEAN_OF_TANH <= high
    assert n_covered / n_made < 0.90


def test_the_interval_over_passages_holds_the_score_of_dependent_rows():
    """Rows of a passage share its mood; drawn row by row, the interval would be half as wide and miss."""
    rng, n_covered, n_made = np.random.default_rng(0), 0, 200
    truth = (0.5 + 1) / np.sqrt(2 * (0.25 + 0.64 + 1))
    for _ in range(n_made):
        part = clustered(rng)
        drawn, raw = draws([part], Pooling.PARTICIPANTS, seed=0, n_draws=200), raw_of(part, Pooling.PARTICIPANTS)
        interval, _ = interval_of([{"p": raw}], drawn, raw=raw, n_clusters=n_clusters_of([part]), seed=0)
        n_covered += interval.low <= truth <= interval.high
    assert 0.87 <= n_covered / n_made <= 0.99


def test_a_score_of_one_has_no_fisher_z():
    interval, reason = interval_of([{"p": 1.0}], np.ones(10), raw=1.0, n_clusters=6, seed=0)
    assert interval is None
    assert "Fisher z" in reason


def test_the_interval_over_participants_covers_as_often_as_it_says():
    rng, n_covered, n_made = np.random.default_rng(1), 0, 400
    for _ in range(n_made):
        raws = np.tanh(0.3 + 0.2 * rng.standard_normal(6))
        interval, _ = interval_of([dict(zip("abcdef", raws, strict=True))], np.zeros(0), raw=0.0, n_clusters=0, seed=0)
        n_covered += interval.low <= np.tanh(0.3) <= interval.high
    assert (interval.method, interval.n, interval.seed) == ("participants-jackknife-fisher-z-t", 6, None)
    assert 0.92 <= n_covered / n_made <= 0.98


def test_the_interval_over_participants_is_that_of_pseudo_values_and_close_to_t_on_each_z():
    raws = np.array([0.1, 0.25, 0.3, 0.12, 0.4])
    interval, _ = interval_of([dict(zip("abcde", raws, strict=True))], np.zeros(0), raw=0.0, n_clusters=0, seed=0)
    pseudo = [5 * np.arctanh(raws.mean()) - 4 * np.arctanh(np.delete(raws, i).mean()) for i in range(5)]
    expected = np.tanh(scipy.stats.t.interval(0.95, 4, loc=np.mean(pseudo), scale=scipy.stats.sem(pseudo)))
    np.testing.assert_allclose([interval.low, interval.high], expected)
    z = np.arctanh(raws)
    plain = np.tanh(scipy.stats.t.interval(0.95, 4, loc=z.mean(), scale=scipy.stats.sem(z)))
    np.testing.assert_allclose([interval.low, interval.high], plain, atol=0.02)


def test_participants_of_some_parts_weigh_as_they_do_in_the_score():
    """Nine took one part with .30, six the other with .10: the score is .20, and its interval lies around it."""
    rng = np.random.default_rng(2)
    first = {f"p{i}": 0.3 + 0.02 * rng.standard_normal() for i in range(9)}
    second = {f"p{i}": 0.1 + 0.02 * rng.standard_normal() for i in range(5, 11)}
    raw = np.mean([np.mean([*first.values()]), np.mean([*second.values()])])
    interval, _ = interval_of([first, second], np.zeros(0), raw=0.0, n_clusters=0, seed=0)
    assert interval.n == 11
    assert abs((interval.low + interval.high) / 2 - raw) < 0.01


def test_fewer_than_five_participants_and_passages_give_a_reason():
    n_clusters = n_clusters_of([made(4, n_folds=4)])
    interval, reason = interval_of(
        [{"a": 0.1, "b": 0.2, "c": 0.1}], np.zeros(10), raw=0.1, n_clusters=n_clusters, seed=0
    )
    assert interval is None
    assert "3 participants and 4 passages are too few" in reason


def test_the_paired_difference_is_narrower_than_that_of_unpaired_draws():
    part = made(n_folds=4)
    near = HeldOut(data=part.data, predictions=tuple(p + 0.1 * np.roll(p, 1, axis=0) for p in part.predictions))
    raws = [raw_of(one, Pooling.PARTICIPANTS) for one in (part, near)]
    first, paired, other = (
        draws([one], Pooling.PARTICIPANTS, seed=seed, n_draws=400) for one, seed in ((part, 0), (near, 0), (near, 1))
    )
    close = paired_difference(raws[0], first, raws[1], paired, n_clusters=24)
    wide = paired_difference(raws[0], first, raws[1], other, n_clusters=24)
    assert close.low <= raws[0] - raws[1] <= close.high
    assert close.high - close.low < 0.5 * (wide.high - wide.low)
    assert paired_difference(0.3, first, 0.3, first, n_clusters=24).high == pytest.approx(0)


@pytest.mark.parametrize("n_clusters", [5, 8, 10, 24])
def test_the_paired_difference_covers_the_true_one(n_clusters):
    """Means of few clusters, as raw scores are: the interval holds the true difference about as often as it says."""
    rng, n_covered, n_made = np.random.default_rng(2), 0, 3000
    for _ in range(n_made):
        shared, own = rng.standard_normal(n_clusters), rng.standard_normal((2, n_clusters))
        values = shared + own
        weights = rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=400) / n_clusters
        raws, drawn = values.mean(axis=1), values @ weights.T
        interval = paired_difference(raws[0], drawn[0], raws[1], drawn[1], n_clusters=n_clusters)
        n_covered += interval.low <= 0 <= interval.high
    assert 0.93 <= n_covered / n_made <= 0.97


def test_the_paired_difference_of_scores_covers_the_true_one():
    """Two predictions of one response, equally good."""
    rng, n_covered, n_made = np.random.default_rng(2), 0, 120
    for _ in range(n_made):
        Y = rng.standard_normal((192, 3))
        pair = [held_out(Y, 0.7 * Y + rng.standard_normal(Y.shape), in_passages(48), n_folds=4) for _ in range(2)]
        raws = [raw_of(one, Pooling.PARTICIPANTS) for one in pair]
        drawn = [draws([one], Pooling.PARTICIPANTS, seed=0, n_draws=200) for one in pair]
        interval = paired_difference(raws[0], drawn[0], raws[1], drawn[1], n_clusters=48)
        n_covered += interval.low <= 0 <= interval.high
    assert 0.89 <= n_covered / n_made <= 1


def test_passages_are_permuted_within_their_fold():
    """One fold of four passages: the null is that of all 24 orders."""
    rng = np.random.default_rng(3)
    Y, P = rng.standard_normal((2, 16, 3))
    part = held_out(Y, P, in_passages(4), n_folds=1)
    part = HeldOut(data=_trained_on_all(part.data), predictions=part.predictions)
    blocks = [np.arange(4 * place, 4 * place + 4) for place in range(4)]
    scores = []
    for order in permutations(range(4)):
        rows = np.concatenate([blocks[place] for place in order])
        scores.append(np.median([np.corrcoef(Y[rows, unit], P[:, unit])[0, 1] for unit in range(3)]))
    found = null_test([part], Pooling.PARTICIPANTS, kind=NullKind.PASSAGES, seed=0, n_draws=6000)
    assert found.mean == pytest.approx(np.mean(scores), abs=0.01)
    assert found.p == pytest.approx(np.mean(np.array(scores) >= scores[0] - 1e-9), abs=0.03)
    assert min(abs(found.high - np.array(scores))) < 1e-5


def _trained_on_all(data):
    values = {name: getattr(data, name) for name in data.__dataclass_fields__}
    return PartData(**{**values, "folds": (Fold(train=np.arange(len(data.Y)), test=np.arange(len(data.Y))),)})


def test_responses_turn_round_within_their_run():
    """Two folds of one run each: every mean of two shifts' scores, shift 0 left out, is as likely as any other."""
    rng = np.random.default_rng(4)
    Y, P = rng.standard_normal((2, 27, 2))
    runs = ["r0"] * 12 + ["r1"] * 15
    part = held_out(Y, P, runs, n_folds=2)
    by_shift = []
    for fold in part.data.folds:
        y, p = Y[fold.test], P[fold.test]
        shifted = [np.roll(y, shift, axis=0) for shift in range(len(y))]
        by_shift.append(
            np.array([np.median([np.corrcoef(one[:, unit], p[:, unit])[0, 1] for unit in range(2)]) for one in shifted])
        )
    null = ((by_shift[0][1:, None] + by_shift[1][1:]) / 2).ravel()
    raw = (by_shift[0][0] + by_shift[1][0]) / 2
    found = null_test([part], Pooling.POOLED_UNITS, kind=NullKind.RUNS, seed=0, n_draws=8000)
    assert found.method == "circular-shift"
    assert found.mean == pytest.approx(null.mean(), abs=0.01)
    assert found.high == pytest.approx(np.quantile(null, 0.95), abs=0.02)
    assert found.p == pytest.approx(np.mean(null >= raw), abs=0.03)


def test_runs_in_one_fold_turn_by_themselves():
    """Each run is a sine of its own: turned together or not, the null has the mean of turning each alone."""
    rng = np.random.default_rng(5)
    Y, P = rng.standard_normal((2, 24, 1))
    part = held_out(Y, P, ["r0"] * 10 + ["r1"] * 14, n_folds=1)
    part = HeldOut(data=_trained_on_all(part.data), predictions=part.predictions)
    null = [
        np.corrcoef(np.concatenate([np.roll(Y[:10, 0], a), np.roll(Y[10:, 0], b)]), P[:, 0])[0, 1]
        for a in range(1, 10)
        for b in range(1, 14)
    ]
    found = null_test([part], Pooling.PARTICIPANTS, kind=NullKind.RUNS, seed=0, n_draws=6000)
    assert found.mean == pytest.approx(np.mean(null), abs=0.01)
    assert found.high == pytest.approx(np.quantile(null, 0.95), abs=0.02)


@pytest.mark.parametrize("kind", list(NullKind))
def test_a_planted_score_is_never_reached_by_chance_and_noise_often_is(kind):
    planted = null_test([made(effect=1.0)], Pooling.PARTICIPANTS, kind=kind, seed=0, n_draws=199)
    assert planted.p == pytest.approx(1 / 200)
    assert abs(planted.mean) < 0.15
    p = [
        null_test([made(effect=0.0, seed=seed)], Pooling.PARTICIPANTS, kind=kind, seed=0, n_draws=99).p
        for seed in range(40)
    ]
    assert 0.35 < np.mean(p) < 0.65


def test_there_is_no_null_where_nothing_can_change_its_place():
    part = made(4, n_folds=4)
    assert null_test([part], Pooling.PARTICIPANTS, kind=NullKind.PASSAGES, seed=0, n_draws=10) is None
