"""Each protocol, whole, against a restatement in plain scikit-learn: folds, penalties, layers, pooling.

The recordings are made up, of the shape of real ones with fewer units.
"""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.model_selection import GroupKFold, ShuffleSplit

from scoring.datasets.base import Experiment
from scoring.metrics.linear_predictivity import predict_recording
from scoring.protocols import BRAIN_SCORE, GROUPED, PAPER, PASSAGE_GROUPED, SHUFFLED
from scoring.recording import Recording, Units
from scoring.types import Passage, Stimuli

N_PASSAGES = {"long": 36, "short": 36}
N_SENTENCES = {"long": 5, "short": 4}
PARTICIPANTS = ("a",) * 9 + ("b",) * 6 + ("c",) * 5


@pytest.fixture(scope="module")
def experiment():
    """Two parts of 180 and 144 sentences, three passages a topic; participant c took the first part only."""
    rng = np.random.default_rng(11)
    passages, groups, part = [], [], []
    for name, n_passages in N_PASSAGES.items():
        for index in range(n_passages):
            texts = [f"Sentence {place} of passage {index} in {name}." for place in range(N_SENTENCES[name])]
            passages.append(Passage.join(f"{name}.{index}", texts))
            groups += [f"{name}.topic{index // 3}"] * len(texts)
            part += [name] * len(texts)
    ids = tuple(str(row) for row in range(len(groups)))
    values = rng.standard_normal((len(ids), len(PARTICIPANTS)))
    values += (rng.standard_normal((len(ids), 4)) @ rng.standard_normal((4, len(PARTICIPANTS)))).cumsum(axis=0) / 9
    values[np.array(part) == "short", 15:] = np.nan
    rows = {name: np.flatnonzero(np.array(part) == name) for name in N_PASSAGES}
    return Experiment(
        stimuli=Stimuli(ids=ids, passages=tuple(passages), groups=tuple(groups)),
        measured=Recording.of(values, Units.numbered(PARTICIPANTS), rows),
        ceiling=None,
    )


@pytest.fixture(scope="module")
def layers(experiment):
    """Three layers that know more and more of the responses; the last is not a block."""
    rng = np.random.default_rng(12)
    known = np.nan_to_num(experiment.measured.values) @ rng.standard_normal((len(PARTICIPANTS), 60))
    n = len(known)
    return {
        "embed": (0.2 * known + 9 * rng.standard_normal((n, 60))).astype(np.float32),
        "block.0": (known + 9 * rng.standard_normal((n, 60))).astype(np.float32),
        "block.1": (known @ rng.standard_normal((60, 30)) + 60 * rng.standard_normal((n, 30))).astype(np.float32),
        "final_norm": (2 * known + 9 * rng.standard_normal((n, 60))).astype(np.float32),
    }


def parts(experiment):
    """Rows, responses, owners of units, groups and passages of each part."""
    for part in experiment.measured.parts:
        Y = experiment.measured.values[np.ix_(part.rows, part.units)]
        groups, passages = (np.array(names)[part.rows] for names in (experiment.groups, experiment.passages))
        yield part.rows, Y, np.array(PARTICIPANTS)[part.units], groups, passages


def whole(names, n_folds):
    unique = list(dict.fromkeys(names))
    return [np.flatnonzero(np.isin(names, block)) for block in np.array_split(unique, n_folds)]


def correlations(Y, prediction):
    return np.array([np.corrcoef(Y[:, unit], prediction[:, unit])[0, 1] for unit in range(Y.shape[1])])


def by_participant(r, owners):
    return np.mean([np.mean([np.median(fold[owners == one]) for fold in r]) for one in dict.fromkeys(owners)])


def by_pooled_units(r, owners):
    return np.mean([np.median(fold) for fold in r])


def nested(X, Y, tests):
    """Test r and inner r (n_folds, n_units) of ridge with one penalty a unit, each fold within the others."""
    centred = X - X.mean(axis=0)
    penalties = np.logspace(-4, 5, 20) * (centred**2).sum() / len(X)
    test_r, inner_r = [], []
    for test in tests:
        others = [rows for rows in tests if rows is not test]
        error, r = np.zeros((20, Y.shape[1])), np.zeros((len(others), 20, Y.shape[1]))
        for i, inner in enumerate(others):
            train = np.sort(np.concatenate([rows for rows in others if rows is not inner]))
            for p, penalty in enumerate(penalties):
                predicted = Ridge(alpha=penalty, solver="svd").fit(X[train], Y[train]).predict(X[inner])
                error[p] += ((predicted - Y[inner]) ** 2).sum(axis=0)
                r[i, p] = correlations(Y[inner], predicted)
        best, train = error.argmin(axis=0), np.sort(np.concatenate(others))
        predicted = np.stack(
            [
                Ridge(alpha=penalties[one], solver="svd").fit(X[train], Y[train, unit]).predict(X[test])
                for unit, one in enumerate(best)
            ],
            axis=1,
        )
        test_r.append(correlations(Y[test], predicted))
        inner_r.append([r[:, one, unit].mean() for unit, one in enumerate(best)])
    return np.array(test_r), np.array(inner_r)


def grouped_score(experiment, layers, cut):
    raws, selected = [], []
    for rows, Y, owners, groups, passages in parts(experiment):
        tests = cut(groups, passages)
        fits = {name: nested(X[rows].astype(float), Y, tests) for name, X in layers.items()}
        chosen = [max(fits, key=lambda name: np.median(fits[name][1][fold])) for fold in range(len(tests))]
        raws.append(by_participant([fits[name][0][fold] for fold, name in enumerate(chosen)], owners))
        selected += chosen
    return np.mean(raws), tuple(selected)


def shuffled(groups, _):
    numbers = np.random.default_rng(0).permutation(len(groups))
    return [np.sort(rows) for rows in np.array_split(np.argsort(numbers), 4)]


@pytest.mark.parametrize(
    ("protocol", "cut"),
    [
        (GROUPED, lambda groups, passages: whole(groups, 4)),
        (PASSAGE_GROUPED, lambda groups, passages: whole(passages, 4)),
        (SHUFFLED, shuffled),
    ],
    ids=["grouped", "passage-grouped", "shuffled"],
)
def test_nested_ridge_protocols_equal_their_restatement(protocol, cut, experiment, layers):
    found = predict_recording(layers, experiment, protocol.brain, n_folds=4)
    raw, selected = grouped_score(experiment, layers, cut)
    assert found.layer.selected == selected
    assert found.raw == pytest.approx(raw, abs=1e-5)


def test_the_paper_protocol_equals_its_restatement(experiment, layers):
    """Least squares on ten random splits, units of all participants pooled, the layer that is best over both parts."""
    scores = {name: [] for name in layers}
    for rows, Y, owners, _, _ in parts(experiment):
        for name, X in layers.items():
            r = []
            for train, test in ShuffleSplit(10, test_size=0.1, random_state=1).split(rows):
                model = LinearRegression().fit(X[rows][train].astype(float), Y[train])
                r.append(correlations(Y[test], model.predict(X[rows][test].astype(float))))
            scores[name].append(by_pooled_units(r, owners))
    best = max(scores, key=lambda name: np.mean(scores[name]))
    found = predict_recording(layers, experiment, PAPER.brain, n_folds=4)
    assert set(found.layer.selected) == {best}
    assert found.raw == pytest.approx(np.mean(scores[best]), abs=1e-5)
    assert found.raw == pytest.approx(found.layer.optimistic.raw)
    assert [warning.code for warning in found.warnings] == ["optimistic"]


def test_the_brain_score_protocol_equals_its_restatement(experiment, layers):
    """RidgeCV with its leave-one-out and one penalty for all units, shuffled folds of topics, the last block."""
    raws = []
    for rows, Y, owners, groups, _ in parts(experiment):
        X, r = layers["block.1"][rows].astype(float), []
        cut = GroupKFold(n_splits=min(10, len(set(groups))), shuffle=True, random_state=1234)
        for train, test in cut.split(X, groups=groups):
            model = RidgeCV(alphas=np.logspace(-3, 3, 7)).fit(X[train], Y[train])
            r.append(correlations(Y[test], model.predict(X[test])))
        raws.append(by_pooled_units(r, owners))
    found = predict_recording(layers, experiment, BRAIN_SCORE.brain, n_folds=4)
    assert set(found.layer.selected) == {"block.1"}
    assert found.raw == pytest.approx(np.mean(raws), abs=1e-5)
