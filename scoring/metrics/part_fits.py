"""Every layer fitted to every part of a recording, and which layer counts in which fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..datasets.base import Experiment
from ..errors import NumericalFailure
from ..protocols import BrainRules, LayerRule, Pooling
from ..recording import Part, Recording
from ..regression.encode import EncodingFit, cross_val_encode, predict
from ..regression.folds import Fold, make_folds
from ..regression.gram import Gram, as_gram
from ..types import FeatureArray, FloatArray, IndexArray
from .pooling import pooled

Layers = Mapping[str, FeatureArray | Gram]


@dataclass(frozen=True, kw_only=True, eq=False)
class PartData:
    """One part of a recording, ready to be fitted: its rows and units of the recording, responses (n_rows, n_units),
    whose the units are, and the folds of its rows, numbered within the part."""

    name: str
    rows: IndexArray
    units: IndexArray
    Y: FloatArray
    participants: tuple[str, ...]
    regions: tuple[str, ...] | None
    passages: tuple[str, ...]
    groups: tuple[str, ...]
    folds: tuple[Fold, ...]

    @property
    def owners(self) -> IndexArray:
        """Each unit's participant as a number, (n_units,)."""
        return np.unique(np.asarray(self.participants), return_inverse=True)[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class PartFits:
    """One part fitted with every layer; a layer that does not vary over the part's rows has no fit."""

    data: PartData
    fits: Mapping[str, EncodingFit | None]
    chosen: tuple[str, ...]
    pooling: Pooling

    def layer_raw(self, layer: str) -> float | None:
        """The part's score with one layer in every fold."""
        fit = self.fits[layer]
        return None if fit is None else pooled(fit.test_r, self.data.participants, self.pooling)

    def of_chosen(self, statistic: str) -> FloatArray:
        """A statistic of EncodingFit by fold, taken in each fold from the layer chosen there."""
        return np.stack([getattr(self.fits[name], statistic)[fold] for fold, name in enumerate(self.chosen)])


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """Predictions for the test rows of each fold of a part, (n_test, n_units) each: all that uncertainty needs."""

    data: PartData
    predictions: tuple[FloatArray, ...]


def part_data(experiment: Experiment, rules: BrainRules, n_folds: int) -> tuple[PartData, ...]:
    """The parts of a recording under the protocol's folds. Raises DataMalformed where folds cannot be made."""
    recording = experiment.measured
    assert isinstance(recording, Recording), "only a recording of brains has parts"
    return tuple(_part_data(experiment, recording, part, rules, n_folds) for part in recording.parts)


def fit_parts(
    layers: Layers,
    parts: Sequence[PartData],
    rules: BrainRules,
    *,
    standardise: bool = False,
    on_progress: Callable[[float], None] = lambda _: None,
) -> tuple[PartFits, ...]:
    """Fit every layer to every part and choose layers by the rule; one layer's products are held at a time.

    Raises NumericalFailure where no layer varies.
    """
    n_steps, n_done = sum(len(part.folds) for part in parts) * len(layers), 0

    def step() -> None:
        nonlocal n_done
        n_done += 1
        on_progress(n_done / n_steps)

    fits: dict[str, dict[str, EncodingFit | None]] = {part.name: {} for part in parts}
    for name, layer in layers.items():
        gram = as_gram(layer)
        for part in parts:
            is_constant = gram.is_constant(part.rows)
            fits[part.name][name] = (
                None if is_constant else fit_layer(layer, gram, part, rules, standardise=standardise, on_fold=step)
            )
    return tuple(
        PartFits(data=part, fits=fits[part.name], chosen=_chosen(part, fits[part.name], rules), pooling=rules.pooling)
        for part in parts
    )


def fit_layer(
    layer: FeatureArray | Gram,
    gram: Gram,
    part: PartData,
    rules: BrainRules,
    *,
    standardise: bool = False,
    on_fold: Callable[[], None] = lambda: None,
) -> EncodingFit:
    """One layer fitted to one part."""
    return cross_val_encode(
        _inputs(layer, gram, part, standardise),
        part.Y,
        part.folds,
        rules.regression,
        owners=part.owners,
        is_gram=not standardise,
        on_fold=on_fold,
    )


def held_out(layers: Layers, fits: PartFits, *, standardise: bool = False) -> HeldOut:
    """What the layer chosen in each fold predicts for its test rows."""
    found: list[FloatArray | None] = [None] * len(fits.data.folds)
    for name in dict.fromkeys(fits.chosen):
        fit, layer = fits.fits[name], layers[name]
        assert fit is not None, "a layer that does not vary is never chosen"
        own = [index for index, chosen in enumerate(fits.chosen) if chosen == name]
        inputs = _inputs(layer, as_gram(layer), fits.data, standardise)
        folds = [fits.data.folds[index] for index in own]
        predictions = predict(inputs, fits.data.Y, folds, fit.penalties[own], is_gram=not standardise)
        for index, prediction in zip(own, predictions, strict=True):
            found[index] = prediction
    return HeldOut(data=fits.data, predictions=tuple(prediction for prediction in found if prediction is not None))


def _part_data(experiment: Experiment, recording: Recording, part: Part, rules: BrainRules, n_folds: int) -> PartData:
    all_groups, all_passages = experiment.groups, experiment.passages
    groups = tuple(all_groups[row] for row in part.rows)
    passages = tuple(all_passages[row] for row in part.rows)
    n_purged = recording.timeline.n_purged if recording.timeline is not None else 0
    regions = recording.units.regions
    return PartData(
        name=part.name,
        rows=part.rows,
        units=part.units,
        Y=recording.of_part(part).astype(np.float64, copy=False),
        participants=recording.participants_of(part),
        regions=None if regions is None else tuple(regions[unit] for unit in part.units),
        passages=passages,
        groups=groups,
        folds=make_folds(rules.split, groups, passages, n_folds=n_folds, n_purged=n_purged),
    )


def _inputs(layer: FeatureArray | Gram, gram: Gram, part: PartData, standardise: bool) -> FloatArray:
    if not standardise:
        return gram.part(part.rows)
    assert not isinstance(layer, Gram), "features are standardised, not their inner products"
    return layer[part.rows].astype(np.float64)


def _chosen(part: PartData, fits: Mapping[str, EncodingFit | None], rules: BrainRules) -> tuple[str, ...]:
    """For each fold the layer that counts. Raises NumericalFailure where no layer varies."""
    defined = {name: fit for name, fit in fits.items() if fit is not None}
    if not defined:
        raise NumericalFailure(f"no layer has features that vary over the stimuli of part {part.name}")
    n_folds = len(part.folds)
    if rules.layer is LayerRule.LAST_BLOCK:
        blocks = [name for name in defined if "block" in name] or list(defined)
        return (blocks[-1],) * n_folds
    if rules.layer is LayerRule.BEST_ON_TEST:
        raws = {name: pooled(fit.test_r, part.participants, rules.pooling) for name, fit in defined.items()}
        return (max(raws, key=raws.__getitem__),) * n_folds
    medians = {name: np.nanmedian(_inner_r(fit), axis=1) for name, fit in defined.items()}
    return tuple(max(medians, key=lambda name: medians[name][fold]) for fold in range(n_folds))


def _inner_r(fit: EncodingFit) -> FloatArray:
    assert fit.inner_r is not None, "a nested choice of layers needs inner folds"
    return fit.inner_r
