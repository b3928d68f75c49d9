"""What a score is made of: frozen, keyword-only, checked once when it is made.

What belongs here: everything that is reported about one subject on one benchmark. What does not: how it is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from .errors import NumericalFailure


class CeilingMethod(StrEnum):
    """How a ceiling was found."""

    NONE = "none"
    """No ceiling can be computed from this data; the reason says why."""
    FROM_ITEM_VARIANCE = "from-item-variance"
    """The root of the reliability that item means have, given their standard deviations and counts."""
    SPLIT_HALF = "split-half"
    """The root of the Spearman-Brown reliability of halves of repetitions or readers."""
    SPLIT_HALF_CONSISTENCY = "split-half-consistency"
    """How well the means of halves of the readers agree, without any root, as it was published."""
    SUBJECT_EXTRAPOLATION = "subject-extrapolation"
    """How well other participants predict one, extrapolated to infinitely many: inter-subject predictivity."""


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The score that a perfect model can reach under the same protocol; `value` None comes with a reason.

    Beside a value `reason` says what was left out.

    `low` and `high` bound its 95 % interval. `at_hand` is what the participants at hand reach, before extrapolation;
    `is_unstable` warns that the extrapolation goes far beyond it, or rests on fewer than six participants.
    """

    value: float | None
    method: CeilingMethod
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    at_hand: float | None = None
    is_unstable: bool = False

    def __post_init__(self) -> None:
        if (self.value is None) != (self.method is CeilingMethod.NONE) or (self.value is None and not self.reason):
            raise NumericalFailure("a ceiling has a value, or the method none and a reason")

    @classmethod
    def none(cls, reason: str) -> Ceiling:
        """No ceiling, and why."""
        return cls(value=None, method=CeilingMethod.NONE, reason=reason)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval of a raw score; `n` counts the clusters it rests on."""

    level: float
    low: float
    high: float
    method: str
    n: int
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Share:
    """The raw score of some of a part's units: those of a participant, or of a region. None where none has a value."""

    name: str
    raw: float | None
    n_units: int


@dataclass(frozen=True, kw_only=True)
class PartScore:
    """The raw score of one part and its weight in the whole, by fold, by participant and by region of its units."""

    name: str
    raw: float
    weight: float
    folds: tuple[float, ...] = ()
    participants: tuple[Share, ...] = ()
    regions: tuple[Share, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NullTest:
    """What the score would be if stimuli and responses had nothing to do with each other.

    `mean` and `high` (its 95th percentile) are of `n_draws` scores of the stored predictions against permuted
    responses; `p` is the share of draws that reach the score, the score itself counted among them.
    """

    method: str
    n_draws: int
    mean: float
    high: float
    p: float


@dataclass(frozen=True, kw_only=True)
class UniqueVariance:
    """R² on held-out rows of nuisance features, of nuisance and model together, and the difference; never clipped."""

    nuisance: float
    joint: float
    unique: float


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The raw score with one choice made in another way; `raw` is None where `reason` says why."""

    name: str
    raw: float | None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class LayerPart:
    """A layer's raw score in one part; None where the layer is undefined there."""

    name: str
    raw: float | None


@dataclass(frozen=True, kw_only=True)
class LayerScore:
    """One point of the layer curve. `depth` runs from 0 (first) to 1 (last); `reason` says why `raw` is None."""

    name: str
    depth: float
    raw: float | None
    reason: str | None
    parts: tuple[LayerPart, ...]


@dataclass(frozen=True, kw_only=True)
class Optimistic:
    """The layer that is best on the test rows themselves, which no honest score may use."""

    name: str
    raw: float


@dataclass(frozen=True, kw_only=True)
class LayerChoice:
    """Which layer was used: `selected` has one name for each outer fold, part after part."""

    selected: tuple[str, ...]
    rule: str
    optimistic: Optimistic


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a score rests on; `valid_units` leaves out units without a value in any fold."""

    stimuli: int
    participants: int
    units: int
    valid_units: int
    folds: int


NOT_COMPARABLE = "not_comparable"
"""The code of the warning that a score must not be ranked with those of causal models."""


@dataclass(frozen=True, kw_only=True)
class ScoreWarning:
    """Something the reader of a score has to know."""

    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Score:
    """How well one subject accounts for one benchmark under one protocol. Signed, never clipped.

    `interval_reason` says why there is no interval. `draws` are raw scores of bootstrapped passages, under a seed that
    is the benchmark's: those of two subjects are paired.
    """

    subject: str
    benchmark: str
    benchmark_version: int
    data_sha256: str
    synthetic: bool
    protocol: str
    metric: str
    raw: float
    ceiling: Ceiling
    n: Counts
    parts: tuple[PartScore, ...] = ()
    layer: LayerChoice | None = None
    layers: tuple[LayerScore, ...] = ()
    interval: Interval | None = None
    interval_reason: str | None = None
    null: NullTest | None = None
    unique_variance: UniqueVariance | None = None
    sensitivity: tuple[Variant, ...] = ()
    draws: tuple[float, ...] = ()
    word_probability: str | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[ScoreWarning, ...] = ()
    conditions: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not np.isfinite([self.raw, *self.measures.values()]).all():
            raise NumericalFailure(f"score of {self.subject} on {self.benchmark} holds a number that is not finite")

    @property
    def is_comparable(self) -> bool:
        """False where the surprisals are not those of a causal model."""
        return all(warning.code != NOT_COMPARABLE for warning in self.warnings)

    @property
    def normalised(self) -> float | None:
        """Raw over ceiling; None where there is no ceiling. May exceed 1."""
        return None if self.ceiling.value is None else self.raw / self.ceiling.value
