"""Cross-validated encoding: how well a linear map from features predicts each unit on rows that it has not seen.

What belongs here: which path is taken, and what a fit answers. What does not: solving.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..metrics.correlation import constant_columns, pearson_columns
from ..types import FloatArray, IndexArray
from .direct import Kernel, chunks_of_units, errors, features_kernel, kernel_of, penalties_of
from .exact import is_too_wide
from .fast import Judged, Problem, encode_fast
from .folds import Fold
from .gram import centred
from .parallel import side_by_side
from .rules import Regression, Selection
from .selection import choose, relative_error


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodingFit:
    """One layer fitted to one part.

    `test_r` (n_folds, n_units): Pearson r on each fold's test rows. `inner_r` (n_folds, n_units): the mean r over the
    inner folds of its training rows, at the penalty chosen there; None if not asked for, or there are none. `penalties`
    (n_folds, n_units): the chosen ones, 0 for least squares. `selection_error` (n_folds, n_units): what the choice went
    by at them, over the variation of the training responses; None where nothing was chosen. By fold, (n_folds,):
    `low_edge` and `high_edge` are the shares of units whose penalty stands at that end of the grid,
    `n_constant_prediction` counts r's set to 0.
    """

    test_r: FloatArray
    inner_r: FloatArray | None
    penalties: FloatArray
    selection_error: FloatArray | None
    low_edge: FloatArray
    high_edge: FloatArray
    n_constant_prediction: IndexArray


def cross_val_encode(
    layer: FloatArray,
    Y: FloatArray,
    folds: Sequence[Fold],
    regression: Regression,
    *,
    owners: IndexArray | None = None,
    is_gram: bool = True,
    standardise: bool = True,
    device: str = "cpu",
    memory_bytes: int | None = None,
    is_double: bool = False,
    with_inner_r: bool = False,
    on_fold: Callable[[], None] = lambda: None,
) -> EncodingFit:
    """Fit Y (n_rows, n_units) on each fold's training rows and judge it on its test rows.

    `layer` is K = X Xᵀ (n_rows, n_rows), or with `is_gram` False the features X themselves, whose columns are then
    z-scored in each training set unless `standardise` is False. `owners` (n_units,) numbers each unit's participant,
    for Scope.PARTICIPANT. `on_fold` is called after each outer fold. Inner folds are judged by r `with_inner_r`.
    Products with all units run on `device` ("cpu", "cuda"), in float32 where that leaves r its fifth decimal; with few
    units or `is_double` in float64. Arrays beside the inputs stay near `memory_bytes`, beyond a float32 copy of Y and
    all errors. Purged folds, nested ones that overlap, and features take the direct path in float64.
    """
    K = centred(layer) if is_gram else _stand_in(layer, standardise=standardise)
    problem = Problem(
        K=K,
        folds=folds,
        regression=regression,
        penalties=penalties_of(regression, K),
        owners=owners,
        device=torch.device(device),
        memory_bytes=memory_bytes,
        is_double=is_double,
        with_inner_r=with_inner_r,
        on_fold=on_fold,
    )
    if is_gram and _is_fast(problem):
        return _fit_of(encode_fast(problem, Y), problem)
    return _fit_of(_encode_directly(problem, layer, Y, is_gram=is_gram, standardise=standardise), problem)


def predict(
    layer: FloatArray, Y: FloatArray, folds: Sequence[Fold], penalties: FloatArray, *, is_gram: bool = True
) -> list[FloatArray]:
    """What a fit predicts for each fold's test rows, (n_test, n_units) each, at known penalties (n_folds, n_units)."""
    kernel = _kernel(layer, is_gram=is_gram, standardise=True)
    at = list(zip(folds, penalties, strict=True))
    return side_by_side(lambda one: kernel(one[0]).predict(Y, one[1]), at, n_responses=Y.size)


def _kernel(layer: FloatArray, *, is_gram: bool, standardise: bool) -> Kernel:
    return kernel_of(layer) if is_gram else features_kernel(layer, standardise=standardise)


def _stand_in(X: FloatArray, *, standardise: bool) -> FloatArray:
    """A matrix with the trace of the Gram matrix of the features, centred and perhaps z-scored."""
    variances = np.ptp(X, axis=0) > 0 if standardise else ((X - X.mean(axis=0)) ** 2).mean(axis=0)
    return np.asarray(np.eye(len(X)) * variances.sum())


def _is_fast(problem: Problem) -> bool:
    """Whether training rows are all rows but the test rows and the fast path of the selection keeps its digits."""
    selection, n_rows = problem.regression.selection, len(problem.K)
    if selection is Selection.INNER_FOLDS or any(len(fold.train) + len(fold.test) != n_rows for fold in problem.folds):
        return False
    if selection not in (Selection.NESTED_FOLDS, Selection.LEAVE_ONE_OUT):
        return True
    if selection is Selection.NESTED_FOLDS:
        tests = np.sort(np.concatenate([fold.test for fold in problem.folds]))
        if not np.array_equal(tests, np.arange(n_rows)) or len(problem.folds) < 3:
            return False
    return not is_too_wide(problem.K, problem.penalties)


def _encode_directly(problem: Problem, layer: FloatArray, Y: FloatArray, *, is_gram: bool, standardise: bool) -> Judged:
    regression, penalties = problem.regression, problem.penalties
    kernel = _kernel(layer, is_gram=is_gram, standardise=standardise)
    found = Judged.of(np.zeros((len(problem.folds), Y.shape[1]), dtype=np.intp))
    for index, fold in enumerate(problem.folds):
        chosen = found.chosen[index]
        if regression.selection is not Selection.NONE:
            tried = errors(
                kernel,
                Y,
                fold,
                penalties,
                selection=regression.selection,
                folds=problem.folds,
                with_inner_r=problem.judges_inner_folds,
                memory_bytes=problem.memory_bytes,
            )
            chosen[:] = choose(tried.squared, tried.variation, regression.scope, problem.owners)
            found.error[index] = relative_error(tried.squared, tried.variation, chosen)
            if tried.inner_r is not None:
                found.inner_r[index] = tried.inner_r[chosen, np.arange(Y.shape[1])]
        solved = kernel(fold)
        for chunk in chunks_of_units(Y, fold, 1, problem.memory_bytes):
            prediction, trained = solved.predict(Y[:, chunk], penalties[chosen[chunk]]), Y[fold.train, chunk]
            found.test_r[index, chunk] = pearson_columns(Y[fold.test, chunk], prediction, trained)
            found.is_silent[index, chunk] = constant_columns(prediction, trained)
        problem.on_fold()
    return found


def _fit_of(judged: Judged, problem: Problem) -> EncodingFit:
    has_edges, last = len(problem.penalties) > 1, len(problem.penalties) - 1
    return EncodingFit(
        test_r=judged.test_r,
        inner_r=judged.inner_r if problem.judges_inner_folds else None,
        penalties=problem.penalties[judged.chosen],
        selection_error=None if problem.regression.selection is Selection.NONE else judged.error,
        low_edge=np.mean(judged.chosen == 0, axis=1) * has_edges,
        high_edge=np.mean(judged.chosen == last, axis=1) * has_edges,
        n_constant_prediction=judged.is_silent.sum(axis=1),
    )
