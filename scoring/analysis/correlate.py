"""Does a score go with a property of models? Pearson's r, and what few and related models allow to say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import AnalysisTooSmall, PropertyConstant
from ..results import Interval
from ..types import FloatArray
from ..uncertainty import MINIMUM_CLUSTERS
from .intervals import bootstrap_interval, correlation_interval, independent_interval
from .moments import NOTHING, Labels, cluster_moments, correlations
from .warnings import (
    COLLINEAR,
    FAMILIES_DISAGREE,
    FEW_BASES,
    INCOMPLETE,
    SHARED_BASES,
    AnalysisWarning,
    counted,
    too_few,
)

MINIMUM_MODELS = 4
"""Fewer leave Fisher's z no variance."""

MINIMUM_OF_A_FAMILY = 3
ENOUGH_BASES = 10
COLLINEAR_FROM = 0.9


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """A correlation over `n` models from `n_bases` bases.

    `p` is two-sided, by t(n − 2 − held), and takes models for independent, as `independent` does; `interval` does not.
    """

    r: float
    p: float
    n: int
    n_bases: int
    interval: Interval | None
    interval_reason: str | None
    independent: Interval | None


@dataclass(frozen=True, kw_only=True)
class Partial:
    """What is left of the correlation with `given` held; None, with a reason, where nothing is left to vary."""

    given: str
    coefficient: Coefficient | None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class OfFamily:
    """r of the models of one family, or of all others (`without`); None where there is none."""

    family: str
    r: float | None
    p: float | None
    n: int


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """How a score goes with a property: over all models, inside families, without each, with other things held.

    `bootstrap` is the interval of the whole by percentiles, as papers print it; with few bases it is too narrow.
    """

    whole: Coefficient
    bootstrap: Interval | None
    by_family: tuple[OfFamily, ...]
    without_family: tuple[OfFamily, ...]
    partials: tuple[Partial, ...]
    n_missing: int
    warnings: tuple[AnalysisWarning, ...]

    @property
    def range_without(self) -> tuple[float, float] | None:
        """The least and the greatest r with one family left out."""
        found = [one.r for one in self.without_family if one.r is not None]
        return (min(found), max(found)) if found else None


@dataclass(frozen=True, kw_only=True)
class Models:
    """What models are told apart by: `bases` (who shares training) and `families`; `held` are further properties."""

    bases: Sequence[str]
    families: Sequence[str]
    held: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Named:
    """What an error calls a column, and the field of the question that named it."""

    name: str
    param: str | None = None


SCORE, PROPERTY = Named(name="the score"), Named(name="the property")


def correlate(
    scores: FloatArray,
    values: FloatArray,
    models: Models,
    *,
    score: Named = SCORE,
    value: Named = PROPERTY,
    with_bootstrap: bool = True,
) -> Correlation:
    """The correlation of `scores` (n_models,) with `values` (n_models,); NaN is missing, and counted.

    Without a bootstrap there is no interval by percentiles, which takes most of the time where models are many.
    Raises AnalysisTooSmall below four complete models and PropertyConstant where one of the two does not vary.
    """
    is_there = np.isfinite(scores) & np.isfinite(values)
    bases, families = np.asarray(models.bases)[is_there], np.asarray(models.families)[is_there]
    x, y = values[is_there], scores[is_there]
    n_missing = int((~is_there).sum())
    _require({value: x, score: y}, n_missing=n_missing)
    held = {name: values[is_there] for name, values in models.held.items()}
    whole = coefficient(y, x, bases)
    by_family, without = _families(y, x, families), _families(y, x, families, is_left_out=True)
    warnings = [
        *_about_bases(whole),
        *_about_families(whole.r, by_family, without),
        *_about_held(x, held),
    ]
    if n_missing:
        warnings.append(
            AnalysisWarning(code=INCOMPLETE, detail=f"{counted(n_missing, 'model')} without the score or the property")
        )
    return Correlation(
        whole=whole,
        bootstrap=bootstrap_interval(cluster_moments(np.column_stack([y, x]), bases)) if with_bootstrap else None,
        by_family=by_family,
        without_family=without,
        partials=tuple(_partial(y, x, name, values, bases) for name, values in held.items()),
        n_missing=n_missing,
        warnings=tuple(warnings),
    )


def coefficient(scores: FloatArray, values: FloatArray, bases: Labels, held: Sequence[FloatArray] = ()) -> Coefficient:
    """The correlation of complete rows, (n_models,) each, with `held` held; r is NaN where nothing is left to vary."""
    moments = cluster_moments(np.column_stack([scores, values, *held]), bases)
    r, n = float(correlations(moments.sum(axis=0))), len(scores)
    interval, reason = correlation_interval(moments)
    return Coefficient(
        r=r,
        p=p_of(r, n - 2 - len(held)),
        n=n,
        n_bases=len(moments),
        interval=interval,
        interval_reason=reason,
        independent=independent_interval(r, n, len(held)),
    )


def p_of(r: float, freedom: int) -> float:
    """The two-sided p of a correlation: t = r √(freedom / (1 − r²)) with t(freedom)."""
    if freedom < 1 or abs(r) >= 1:
        return 0.0 if abs(r) >= 1 and freedom >= 1 else 1.0
    from scipy import stats  # here, for whoever only describes models needs no statistics

    return float(2 * stats.t.sf(abs(r) * np.sqrt(freedom / (1 - r**2)), freedom))


def false_discovery(ps: Sequence[float]) -> tuple[float, ...]:
    """Benjamini and Hochberg's adjusted p of a family of tests, in their order."""
    from scipy import stats

    return tuple(map(float, stats.false_discovery_control(np.asarray(ps)))) if ps else ()


def _require(columns: Mapping[Named, FloatArray], *, n_missing: int) -> None:
    n_models = min(map(len, columns.values()))
    if n_models < MINIMUM_MODELS:
        left_out = (
            f"; {n_missing} {'lacks' if n_missing == 1 else 'lack'} the score or the property" if n_missing else ""
        )
        raise AnalysisTooSmall(
            f"{too_few(n_models, 'model')} to correlate{left_out}", hint=f"at least {MINIMUM_MODELS} are needed"
        )
    for column, values in columns.items():
        if np.ptp(values) <= NOTHING * max(1.0, float(np.abs(values).max())):
            detail = f"{column.name} is the same for all {n_models} models"
            raise PropertyConstant(detail, hint="choose more models", param=column.param)


def _partial(y: FloatArray, x: FloatArray, name: str, held: FloatArray, bases: Labels) -> Partial:
    is_there = np.isfinite(held)
    n = int(is_there.sum())
    if n < MINIMUM_MODELS + 1:
        return Partial(given=name, coefficient=None, reason=f"{too_few(n, 'model')} with {name}")
    found = coefficient(y[is_there], x[is_there], np.asarray(bases)[is_there], [held[is_there]])
    if not np.isfinite(found.r):
        return Partial(given=name, coefficient=None, reason=f"nothing varies once {name} is held")
    return Partial(given=name, coefficient=found)


def _families(y: FloatArray, x: FloatArray, families: Labels, *, is_left_out: bool = False) -> tuple[OfFamily, ...]:
    own = np.asarray(families)
    names = list(dict.fromkeys(map(str, families)))
    if is_left_out and len(names) < 2:
        return ()
    return tuple(_of_family(name, y, x, (own != name) if is_left_out else (own == name)) for name in names)


def _of_family(name: str, y: FloatArray, x: FloatArray, chosen: NDArray[np.bool_]) -> OfFamily:
    n = int(chosen.sum())
    r = float("nan")
    if n >= MINIMUM_OF_A_FAMILY:
        r = float(correlations(cluster_moments(np.column_stack([y[chosen], x[chosen]]), ["all"] * n).sum(axis=0)))
    if not np.isfinite(r):
        return OfFamily(family=name, r=None, p=None, n=n)
    return OfFamily(family=name, r=r, p=p_of(r, n - 2), n=n)


def _about_bases(whole: Coefficient) -> list[AnalysisWarning]:
    found = []
    if whole.n_bases < whole.n:
        both = f"{whole.n} models share {counted(whole.n_bases, 'base')}"
        detail = f"{both}; p takes models for independent, the interval does not"
        found.append(AnalysisWarning(code=SHARED_BASES, detail=detail))
    if whole.n_bases < ENOUGH_BASES:
        how = "too few for an interval" if whole.n_bases < MINIMUM_CLUSTERS else "the interval is as wide as t makes it"
        found.append(AnalysisWarning(code=FEW_BASES, detail=f"{counted(whole.n_bases, 'base')}: {how}"))
    return found


def _about_families(r: float, by_family: Sequence[OfFamily], without: Sequence[OfFamily]) -> list[AnalysisWarning]:
    rest = [one for one in (*by_family, *without) if one.r is not None]
    weak = [one for one in rest if one.r is not None and (one.r * r <= 0 or abs(one.r) < abs(r) / 2)]
    if len(by_family) < 2 or not weak:
        return []
    least = min(weak, key=lambda one: (one.r or 0.0) * np.sign(r))
    where = "inside" if least in by_family else "without"
    detail = f"r is {r:.2f} over all models and {least.r:.2f} {where} {least.family} (n = {least.n})"
    return [AnalysisWarning(code=FAMILIES_DISAGREE, detail=detail)]


def _about_held(x: FloatArray, held: Mapping[str, FloatArray]) -> list[AnalysisWarning]:
    found = []
    for name, values in held.items():
        is_there = np.isfinite(values)
        if is_there.sum() < MINIMUM_MODELS:
            continue
        pair = np.column_stack([x[is_there], values[is_there]])
        r = float(correlations(cluster_moments(pair, ["all"] * len(pair)).sum(axis=0)))
        if abs(r) >= COLLINEAR_FROM:
            detail = f"the property and {name} correlate {r:.2f}: what is left with one held rests on little"
            found.append(AnalysisWarning(code=COLLINEAR, detail=detail))
    return found
