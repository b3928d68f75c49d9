"""Every layer fitted to every part of a recording, and which layer counts in which fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..datasets.base import Experiment
from ..errors import NumericalFailure
from ..protocols import BrainRules, FeatureRule, LayerRule, Pooling
from ..recording import Part, Recording, Timeline
from ..regression.encode import EncodingFit, cross_val_encode, predict
from ..regression.folds import Fold, make_folds
from ..regression.gram import Gram, as_gram
from ..regression.parallel import side_by_side
from ..types import FeatureArray, FloatArray, IndexArray
from .component_fits import fit_components, predict_components
from .moments import features_on_moments, on_moments
from .pooling import pooled

Layers = Mapping[str, FeatureArray | Gram]

N_INNER_FOLDS = 3
"""Folds of an inner split by which layers are compared where the regression itself has none."""

MINIMUM_INNER_ROWS = 3
"""So many test rows make a correlation; an inner split only compares layers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PartData:
    """One part of a recording, ready to be fitted: its rows and units of the recording, responses (n_rows, n_units),
    whose the units are, and the folds of its rows, numbered within the part.

    `timeline` is that of these rows, where they are moments; `by_components` says that they are fitted as
    FeatureRule.DELAYED_COMPONENTS has it.
    """

    name: str
    rows: IndexArray
    units: IndexArray
    Y: FloatArray
    participants: tuple[str, ...]
    regions: tuple[str, ...] | None
    passages: tuple[str, ...]
    groups: tuple[str, ...]
    folds: tuple[Fold, ...]
    timeline: Timeline | None = None
    by_components: bool = False

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


def rows_gram(layer: FeatureArray | Gram, timeline: Timeline | None) -> Gram:
    """Inner products of the recording's rows: of its stimuli, or of the moments of its timeline."""
    return as_gram(layer) if timeline is None else on_moments(layer, timeline)


def fit_parts(
    layers: Layers,
    experiment: Experiment,
    rules: BrainRules,
    *,
    n_folds: int,
    standardise: bool = False,
    on_progress: Callable[[float], None] = lambda _: None,
) -> tuple[PartFits, ...]:
    """Fit every layer to every part and choose layers by the rule; a thread holds one layer's products at a time.

    Raises NumericalFailure where no layer varies.
    """
    parts = part_data(experiment, rules, n_folds)
    assert isinstance(experiment.measured, Recording), "only a recording of brains has parts"
    timeline, compares = experiment.measured.timeline, rules.layer is LayerRule.NESTED and len(layers) > 1
    step = _counting(on_progress, n_steps=sum(len(part.folds) for part in parts) * len(layers))
    fits: dict[str, dict[str, EncodingFit | None]] = {part.name: dict.fromkeys(layers) for part in parts}
    standings: dict[str, dict[str, FloatArray]] = {part.name: {} for part in parts}

    def fit_layer(name: str) -> None:
        gram = rows_gram(layers[name], timeline)
        for part in parts:
            if not gram.is_constant(part.rows):
                inputs = _inputs(layers[name], gram, part, standardise=standardise)
                fit = _fit_layer(inputs, part, rules, standardise=standardise, with_inner_r=compares, on_fold=step)
                fits[part.name][name] = fit
                standings[part.name][name] = _standing(fit, inputs if compares else None, part, rules)

    side_by_side(fit_layer, list(layers), n_responses=max(part.Y.size for part in parts))
    standings = {part: {name: of[name] for name in layers if name in of} for part, of in standings.items()}
    if rules.layer is LayerRule.BEST_ON_TEST:
        _share_standings(standings)
    return tuple(
        PartFits(
            data=part, fits=fits[part.name], chosen=_chosen(part, standings[part.name], rules), pooling=rules.pooling
        )
        for part in parts
    )


def _counting(on_progress: Callable[[float], None], *, n_steps: int) -> Callable[[], None]:
    """What tells after each of so many steps which share of them is done."""
    done = iter(range(1, n_steps + 1))
    return lambda: on_progress(next(done) / n_steps)


def held_out(layers: Layers, fits: PartFits, recording: Recording, *, standardise: bool = False) -> HeldOut:
    """What the layer chosen in each fold predicts for its test rows."""
    found: list[FloatArray | None] = [None] * len(fits.data.folds)
    for name in dict.fromkeys(fits.chosen):
        fit, layer = fits.fits[name], layers[name]
        assert fit is not None, "a layer that does not vary is never chosen"
        own = [index for index, chosen in enumerate(fits.chosen) if chosen == name]
        inputs = _inputs(layer, rows_gram(layer, recording.timeline), fits.data, standardise=standardise)
        folds = [fits.data.folds[index] for index in own]
        predictions = _predictions(inputs, fits.data, folds, fit.penalties[own], standardise=standardise)
        for index, prediction in zip(own, predictions, strict=True):
            found[index] = prediction
    return HeldOut(data=fits.data, predictions=tuple(prediction for prediction in found if prediction is not None))


def _part_data(experiment: Experiment, recording: Recording, part: Part, rules: BrainRules, n_folds: int) -> PartData:
    groups, passages = (tuple(names[row] for row in part.rows) for names in (experiment.groups, experiment.passages))
    timeline = recording.timeline
    n_purged = timeline.n_purged if timeline is not None else 0
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
        timeline=None if timeline is None else replace(timeline, rows=timeline.rows[part.rows]),
        by_components=timeline is not None and rules.features is FeatureRule.DELAYED_COMPONENTS,
    )


def _fit_layer(
    inputs: FloatArray,
    part: PartData,
    rules: BrainRules,
    *,
    standardise: bool,
    with_inner_r: bool = False,
    on_fold: Callable[[], None] = lambda: None,
) -> EncodingFit:
    if part.by_components:
        assert part.timeline is not None, "components are those of moments"
        return fit_components(inputs, part.Y, part.folds, rules.regression, part.timeline, on_fold=on_fold)
    return cross_val_encode(
        inputs,
        part.Y,
        part.folds,
        rules.regression,
        owners=part.owners,
        is_gram=not standardise,
        with_inner_r=with_inner_r,
        on_fold=on_fold,
    )


def _predictions(
    inputs: FloatArray, part: PartData, folds: Sequence[Fold], penalties: FloatArray, *, standardise: bool
) -> list[FloatArray]:
    if part.by_components:
        assert part.timeline is not None, "components are those of moments"
        return predict_components(inputs, part.Y, folds, penalties, part.timeline)
    return predict(inputs, part.Y, folds, penalties, is_gram=not standardise)


def _inputs(layer: FeatureArray | Gram, gram: Gram, part: PartData, *, standardise: bool) -> FloatArray:
    """What is fitted: inner products of the part's rows (`gram` is that of all rows), or features to be standardised;
    for components, which are standardised anyway, inner products of all stimuli."""
    if part.by_components:
        return as_gram(layer).K
    if not standardise:
        return gram.part(part.rows)
    assert not isinstance(layer, Gram), "features are standardised, not their inner products"
    features = layer.astype(np.float64)
    return features[part.rows] if part.timeline is None else features_on_moments(features, part.timeline)


def _standing(fit: EncodingFit, K: FloatArray | None, part: PartData, rules: BrainRules) -> FloatArray:
    """How well a layer stands in each fold by what the rule goes by, (n_folds,); K is None where it is the only one."""
    if rules.layer is LayerRule.BEST_ON_TEST:
        return np.full(len(part.folds), pooled(fit.test_r, part.participants, rules.pooling))
    if rules.layer is LayerRule.LAST_BLOCK or K is None:
        return np.zeros(len(part.folds))
    if fit.inner_r is not None:
        return np.asarray(np.nanmedian(fit.inner_r, axis=1))
    return np.array([_on_inner_split(K, part, fold, rules) for fold in part.folds])


def _on_inner_split(K: FloatArray, part: PartData, fold: Fold, rules: BrainRules) -> float:
    """The score on a split of the fold's training rows of the same kind as the outer one."""
    groups, passages = ([names[row] for row in fold.train] for names in (part.groups, part.passages))
    n_folds = min(N_INNER_FOLDS, len(set(groups)))
    inner = make_folds(
        replace(rules.split, n_folds=n_folds),
        groups,
        passages,
        n_folds=n_folds,
        n_purged=0 if part.timeline is None else part.timeline.n_purged,
        minimum_test_rows=MINIMUM_INNER_ROWS,
    )
    if part.by_components:
        outer = [Fold(train=fold.train[one.train], test=fold.train[one.test]) for one in inner]
        found = _fit_layer(K, replace(part, folds=tuple(outer)), rules, standardise=False)
    else:
        own = replace(part, Y=part.Y[fold.train], folds=inner)
        K_train = K[np.ix_(fold.train, fold.train)]
        found = _fit_layer(K_train, own, rules, standardise=False)
    return float(np.nanmedian(found.test_r, axis=1).mean())


def _share_standings(standings: Mapping[str, dict[str, FloatArray]]) -> None:
    """Let a layer stand in every part as it does in the mean over parts; it has to be defined in all."""
    common = set.intersection(*(set(of_part) for of_part in standings.values()))
    for name in {name for of_part in standings.values() for name in of_part} - common:
        for of_part in standings.values():
            of_part.pop(name, None)
    for name in common:
        mean = float(np.mean([of_part[name].mean() for of_part in standings.values()]))
        for of_part in standings.values():
            of_part[name][:] = mean


def _chosen(part: PartData, standings: Mapping[str, FloatArray], rules: BrainRules) -> tuple[str, ...]:
    """For each fold the layer that counts; ties the shallower. Raises NumericalFailure where no layer varies."""
    if not standings:
        raise NumericalFailure(f"no layer has features that vary over the stimuli of part {part.name}")
    if rules.layer is LayerRule.LAST_BLOCK:
        blocks = [name for name in standings if "block" in name] or list(standings)
        return (blocks[-1],) * len(part.folds)
    return tuple(max(standings, key=lambda name: standings[name][fold]) for fold in range(len(part.folds)))
