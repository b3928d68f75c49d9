"""How much of the responses' variance a model explains beyond words, lengths and positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import Experiment
from ..protocols import BrainRules
from ..recording import Recording
from ..regression.encode import cross_val_encode, predict
from ..regression.gram import Gram, centred
from ..regression.parallel import side_by_side
from ..regression.rules import NESTED_RIDGE, Scope
from ..results import UniqueVariance
from ..subjects.baselines import nuisance
from ..types import FloatArray, IndexArray
from .part_fits import Layers, PartData, PartFits, rows_gram
from .pooling import by_participant

MODEL_WEIGHTS = (0.1, 0.5, 0.9, 1.0)
"""Shares of the model's inner products in the joint ones, beside nuisance alone."""

Mix = tuple[str | None, float]
"""A layer and its share; no layer is nuisance alone."""
ALONE: Mix = (None, 0.0)

SHARED = replace(NESTED_RIDGE, scope=Scope.PARTICIPANT)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Choice:
    """The penalties chosen for a mix and the relative errors they were chosen by, (n_folds, n_units) each."""

    penalties: FloatArray
    error: FloatArray


def unique_variance(
    layers: Layers, fits: Sequence[PartFits], experiment: Experiment, rules: BrainRules
) -> UniqueVariance:
    """R² of nuisance N, of nuisance and model N ∪ M, and their difference, on held-out rows; never clipped.

    K = w K_M / tr K_M + (1 − w) K_N / tr K_N with w 0 or of MODEL_WEIGHTS and one penalty for each participant, both
    chosen within the training rows; the model's layer is the one chosen in each fold. Over all test rows
    R²_u = 1 − ΣΣ(y − ŷ)² / ΣΣ(y − ȳ_train)²; then pooled over units, participants and parts as the score is.
    """
    measured = experiment.measured
    assert isinstance(measured, Recording), "only recordings of brains have units"
    alone, joint, unique = zip(*(_of_part(layers, part, experiment, measured, rules) for part in fits), strict=True)
    return UniqueVariance(nuisance=float(np.mean(alone)), joint=float(np.mean(joint)), unique=float(np.mean(unique)))


def _of_part(
    layers: Layers, fits: PartFits, experiment: Experiment, measured: Recording, rules: BrainRules
) -> tuple[float, float, float]:
    data = fits.data
    K_nuisance = _scaled(_nuisance(experiment, measured, data))
    K_model = {
        name: _scaled(rows_gram(layers[name], measured.timeline).part(data.rows)) for name in dict.fromkeys(fits.chosen)
    }

    def kernel(mix: Mix) -> FloatArray:
        layer, weight = mix
        return K_nuisance if layer is None else weight * K_model[layer] + (1 - weight) * K_nuisance

    mixes = [ALONE, *product(K_model, MODEL_WEIGHTS)]
    chosen = side_by_side(lambda mix: _chosen(kernel(mix), data), mixes, n_responses=data.Y.size)
    choice_of = dict(zip(mixes, chosen, strict=True))

    def squares(fold: int) -> FloatArray:
        """Of the residuals of nuisance and of both, and of the deviations from the training mean, (3, n_units)."""
        own, train = data.folds[fold], data.Y[data.folds[fold].train]
        tried = [ALONE, *((fits.chosen[fold], weight) for weight in MODEL_WEIGHTS)]
        best = _best([choice_of[mix].error[fold] for mix in tried], data)

        def predicted(mix: Mix, units: NDArray[np.bool_]) -> FloatArray:
            return predict(kernel(mix), data.Y[:, units], [own], choice_of[mix].penalties[fold : fold + 1, units])[0]

        predictions = np.empty((3, len(own.test), data.Y.shape[1]))
        predictions[:2], predictions[2] = predicted(ALONE, best >= 0), train.mean(axis=0)
        for index in np.unique(best[best > 0]).tolist():
            predictions[1][:, best == index] = predicted(tried[index], best == index)
        return np.asarray(((data.Y[own.test] - predictions) ** 2).sum(axis=1))

    by_fold = side_by_side(squares, range(len(data.folds)), n_responses=data.Y.size)
    residual_alone, residual_joint, variation = np.sum(by_fold, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        alone, joint = (np.where(variation > 0, 1 - r / variation, np.nan) for r in (residual_alone, residual_joint))
    return tuple(_pooled(values, data, rules) for values in (alone, joint, joint - alone))  # type: ignore[return-value]


def _chosen(K: FloatArray, data: PartData) -> _Choice:
    fit = cross_val_encode(K, data.Y, data.folds, SHARED, owners=data.owners)
    assert fit.selection_error is not None, "a penalty was chosen"
    return _Choice(penalties=fit.penalties, error=fit.selection_error)


def _nuisance(experiment: Experiment, measured: Recording, data: PartData) -> FloatArray:
    """Inner products of the nuisance features, z-scored over the part's rows; of all stimuli on a timeline."""
    features = nuisance(experiment.stimuli, measured.timeline).astype(np.float64)
    deviations = (features if measured.timeline is not None else features[data.rows]).std(axis=0)
    varying = features[:, deviations > 0] / deviations[deviations > 0]
    return rows_gram(Gram.of(varying.astype(np.float32)), measured.timeline).part(data.rows)


def _scaled(K: FloatArray) -> FloatArray:
    trace = np.trace(centred(K))
    return np.asarray(K / trace) if trace > 0 else K


def _best(errors: Sequence[FloatArray], data: PartData) -> IndexArray:
    """For each unit which choice is its participant's: the smallest mean of errors, each (n_units,)."""
    best = np.zeros(data.Y.shape[1], dtype=np.intp)
    for owner in np.unique(data.owners):
        own = data.owners == owner
        best[own] = int(np.argmin([np.nanmean(error[own]) for error in errors]))
    return best


def _pooled(values: FloatArray, data: PartData, rules: BrainRules) -> float:
    return float(np.mean([*by_participant(values[None], data.participants, rules.pooling).values()]))
