"""Shapes on the wire of scores and layer curves; those of the leaderboard are in `board_schemas`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .schemas import Wire


class ScoreModel(Wire):
    """The model at the commit that was scored."""

    id: str
    revision: str


class ScoreBenchmark(Wire):
    """The benchmark at the version and on the data that were used."""

    id: str
    version: int
    data_sha256: str


class Ceiling(Wire):
    """The score that a perfect model can reach; where `value` is null, `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    method: str
    reason: str | None
    at_hand: float | None = Field(description="What the participants at hand reach, before extrapolation.")
    is_unstable: bool = Field(description="The extrapolation goes far beyond what is at hand, or rests on few.")


class Interval(Wire):
    """A confidence interval; `n` counts the clusters it rests on."""

    level: float
    low: float
    high: float
    method: str
    n: int
    seed: int | None


class Optimistic(Wire):
    """The layer that is best on the test rows themselves: for comparison with papers only."""

    name: str
    raw: float


class Layer(Wire):
    """Which layer was used: one name for each outer fold, part after part."""

    selected: list[str]
    rule: str
    optimistic: Optimistic


class Counts(Wire):
    """What a score rests on."""

    stimuli: int
    participants: int
    units: int
    valid_units: int
    folds: int


class Share(Wire):
    """The raw score of a participant's units in a part, or of a region's."""

    name: str
    raw: float | None
    n_units: int


class Part(Wire):
    """The raw score of one part and its weight in the whole, by fold, by participant and by region of its units."""

    name: str
    raw: float
    weight: float
    folds: list[float]
    participants: list[Share]
    regions: list[Share]


class NullTest(Wire):
    """Scores of the same predictions against permuted responses: their mean and 95th percentile; `p` of the score."""

    method: str
    n_draws: int
    mean: float
    high: float
    p: float


class UniqueVariance(Wire):
    """R² on held-out rows of nuisance features, of these and the model together, and the difference."""

    nuisance: float
    joint: float
    unique: float


class Variant(Wire):
    """The raw score with one choice made in another way; `reason` says why it is null."""

    name: str
    raw: float | None
    reason: str | None


class Baseline(Wire):
    """What a subject without language or without training reaches, and by how much the score is above it.

    `low` and `high` bound the 95 % interval of the difference, from paired draws; null without them.
    """

    id: str
    score: str
    raw: float
    normalised: float | None
    difference: float
    low: float | None
    high: float | None
    layer_selected: list[str] | None


class Warning(Wire):
    """Something the reader of a score has to know."""

    code: str
    detail: str


class Score(Wire):
    """How well one model accounts for one benchmark under one protocol. Signed; only `clipped` is clipped."""

    object: Literal["score"] = "score"
    id: str
    run: str
    model: ScoreModel
    benchmark: ScoreBenchmark
    protocol: str
    metric: str
    raw: float
    ceiling: Ceiling
    normalised: float | None = Field(description="Raw over ceiling; null where there is none. May exceed 1.")
    word_probability: str | None
    clipped: float | None = Field(description="Normalised, at most 1, as Brain-Score reports it; else null.")
    interval: Interval | None = Field(description="Of the raw score.")
    interval_reason: str | None = Field(description="Why there is no interval.")
    null: NullTest | None
    unique_variance: UniqueVariance | None
    sensitivity: list[Variant]
    layer: Layer | None
    n: Counts
    measures: dict[str, float]
    parts: list[Part]
    baselines: list[Baseline]
    warnings: list[Warning]
    provenance: str
    superseded_by: str | None


class LayerPart(Wire):
    """A layer's raw score in one part."""

    name: str
    raw: float | None


class LayerScore(Wire):
    """One point of the layer curve; `depth` runs from 0 to 1, and `reason` says why `raw` is null."""

    name: str
    depth: float
    raw: float | None
    reason: str | None
    parts: list[LayerPart]


class Participant(Wire):
    """The raw score of one participant in one part."""

    part: str
    participant: str
    raw: float | None
    n_units: int


class FoldScore(Wire):
    """The raw score of one outer fold of one part, and the layer that was chosen in its training rows."""

    part: str
    fold: int = Field(description="Counted from 0 in each part.")
    raw: float
    layer: str | None


class Identity(Wire):
    """All that makes two scores the same: change one of these and it is another score."""

    model: ScoreModel
    benchmark: ScoreBenchmark
    protocol: str
    dtype: str
    options: dict[str, Any]
    seed: int
    scoring_version: str


class Provenance(Wire):
    """Where a score comes from: what identifies it, and the conditions it was computed under."""

    object: Literal["provenance"] = "provenance"
    score: str
    run: str
    subject: str
    created_at: datetime
    synthetic: bool
    identity: Identity
    conditions: dict[str, str | int | float | bool | None]
