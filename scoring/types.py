"""The values that everything else passes around: frozen, keyword-only, checked once when they are made.

What belongs here: shapes shared by several rooms of the science. What does not: how they are computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .errors import DataMalformed, NumericalFailure

FloatArray = NDArray[np.float64]
FeatureArray = NDArray[np.float32]
IndexArray = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A text and where its stimuli stand in it; stimuli of one passage are read in one context.

    `spans` holds for each stimulus its first character and the one after its last.
    """

    name: str
    text: str
    spans: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not self.spans:
            raise DataMalformed(f"passage {self.name!r} has no stimuli")
        if any(not self.text[start:end].strip() for start, end in self.spans):
            raise DataMalformed(f"passage {self.name!r} has an empty stimulus")
        if any(end > start for (_, end), (start, _) in pairwise(self.spans)) or self.spans[-1][1] > len(self.text):
            raise DataMalformed(f"passage {self.name!r} has stimuli that overlap or leave its text")

    @classmethod
    def join(cls, name: str, texts: Sequence[str]) -> Passage:
        """The passage that `texts` make with one space between them."""
        spans, position = [], 0
        for text in texts:
            spans.append((position, position + len(text)))
            position += len(text) + 1
        return cls(name=name, text=" ".join(texts), spans=tuple(spans))

    @property
    def texts(self) -> tuple[str, ...]:
        """The stimuli's own texts, in order."""
        return tuple(self.text[start:end] for start, end in self.spans)


@dataclass(frozen=True, kw_only=True)
class Stimuli:
    """What participants and models are given, row by row: the stimuli of the first passage, then of the next.

    `groups` names for each stimulus what must not be split between training and test (a topic, a story).
    """

    ids: tuple[str, ...]
    passages: tuple[Passage, ...]
    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        n_stimuli = sum(len(passage.spans) for passage in self.passages)
        if not len(self.ids) == len(self.groups) == n_stimuli:
            raise DataMalformed(
                f"{len(self.ids)} ids, {len(self.groups)} groups and {n_stimuli} stimuli in passages do not agree"
            )
        if len(set(self.ids)) != n_stimuli:
            raise DataMalformed("stimulus ids are not unique")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def texts(self) -> tuple[str, ...]:
        """The stimuli's own texts, without their contexts."""
        return tuple(text for passage in self.passages for text in passage.texts)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Responses of brains: `values` (n_stimuli, n_units), each unit belonging to one participant.

    `parts` names sub-experiments that are fitted by themselves and holds the rows of each.
    """

    values: FloatArray
    participants: tuple[str, ...]
    parts: Mapping[str, IndexArray]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.participants):
            raise DataMalformed(
                f"recording of shape {self.values.shape} does not have {len(self.participants)} units in its columns"
            )
        if not np.isfinite(self.values).all():
            raise DataMalformed("recording holds values that are not finite")
        if not self.parts:
            raise DataMalformed("recording has no parts")


@dataclass(frozen=True, kw_only=True)
class ReadingTimes:
    """Mean reading times: `published` and `realigned` in milliseconds, (n_words,), NaN where there is none.

    `published` stands as the source gives it. In `realigned` a file whose times were recorded one word late is
    shifted back within each story. `n_readers` and `sd_ms` describe the readers behind each published mean.
    """

    published: FloatArray
    realigned: FloatArray
    n_readers: FloatArray
    sd_ms: FloatArray
    n_participants: int

    def __post_init__(self) -> None:
        shapes = {array.shape for array in (self.published, self.realigned, self.n_readers, self.sd_ms)}
        if len(shapes) != 1 or self.published.ndim != 1:
            raise DataMalformed(f"reading times of different shapes: {sorted(shapes)}")


class CeilingMethod(StrEnum):
    """How a ceiling was found."""

    NONE = "none"
    """No ceiling can be computed from this data; the reason says why."""
    FROM_ITEM_VARIANCE = "from-item-variance"
    """The root of the reliability that item means have, given their standard deviations and counts."""


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The score that a perfect model can reach under the same protocol; `value` None comes with a reason."""

    value: float | None
    method: CeilingMethod
    low: float | None = None
    high: float | None = None
    reason: str | None = None

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
class PartScore:
    """The raw score of one part and its weight in the whole."""

    name: str
    raw: float
    weight: float


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
    """How well one subject accounts for one benchmark under one protocol. Signed, never clipped."""

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
    word_probability: str | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[ScoreWarning, ...] = ()
    conditions: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not np.isfinite([self.raw, *self.measures.values()]).all():
            raise NumericalFailure(f"score of {self.subject} on {self.benchmark} holds a number that is not finite")

    @property
    def normalised(self) -> float | None:
        """Raw over ceiling; None where there is no ceiling. May exceed 1."""
        return None if self.ceiling.value is None else self.raw / self.ceiling.value
