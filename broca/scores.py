"""Scores and their layer curves, as the server answers them. Signed, never clipped.

What belongs here: shapes, and what can be asked of a score that a client gave. How they look is told in
`broca.commands`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from .altair_charts import drawn
from .answers import everything, segment
from .base import ModelRef, Result, TiedResult
from .calls import Mode, call
from .steps import Plan
from .tables import Listed, from_rows

if TYPE_CHECKING:
    import pandas as pd

    from .altair_charts import AnyChart


class BenchmarkRef(Result):
    """Which benchmark, in which version, on which data."""

    id: str
    version: int | None = None
    data_sha256: str | None = None


class Ceiling(Result):
    """What a perfect model could reach; `reason` says why there is no value."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    method: str | None = None
    reason: str | None = None
    at_hand: float | None = None
    is_unstable: bool = False


class Interval(Result):
    """A confidence interval; `n` counts the clusters it rests on."""

    low: float
    high: float
    level: float | None = None
    method: str | None = None
    n: int | None = None
    seed: int | None = None


class LayerChoice(Result):
    """Which layer was used in each outer fold, by which rule."""

    selected: tuple[str, ...] = ()
    rule: str | None = None
    optimistic: dict[str, Any] | None = None

    @property
    def most_often(self) -> str | None:
        """The layer selected in the most folds; of several, the one that came first."""
        return Counter(self.selected).most_common(1)[0][0] if self.selected else None


class Counts(Result):
    """What a score rests on."""

    stimuli: int | None = None
    participants: int | None = None
    units: int | None = None
    valid_units: int | None = None
    folds: int | None = None


class Share(Result):
    """The raw score of a participant's units in a part, or of a region's."""

    name: str
    raw: float | None = None
    n_units: int | None = None


class PartScore(Result):
    """The raw score of one part and its weight in the whole, by fold, by participant and by region of its units."""

    name: str
    raw: float | None = None
    weight: float | None = None
    folds: tuple[float, ...] = ()
    participants: tuple[Share, ...] = ()
    regions: tuple[Share, ...] = ()


class NullTest(Result):
    """Scores of the same predictions against permuted responses: their mean and 95th percentile; `p` of the score."""

    mean: float
    high: float
    p: float
    method: str | None = None
    n_draws: int | None = None


class UniqueVariance(Result):
    """R² on held-out rows of nuisance features, of these and the model together, and the difference."""

    nuisance: float
    joint: float
    unique: float


class Variant(Result):
    """The raw score with one choice made in another way; `reason` says why it is None."""

    name: str
    raw: float | None = None
    reason: str | None = None


class BaselineScore(Result):
    """What a baseline or an untrained twin scores where the model was scored; `score` is its score's id.

    `difference` is how far the model is above it; `low` and `high` bound its 95 % interval.
    """

    id: str
    raw: float | None = None
    normalised: float | None = None
    score: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    layer_selected: tuple[str, ...] | None = None


class ScoreWarning(Result):
    """Something the reader of a score has to know."""

    code: str
    detail: str | None = None


class Score(TiedResult[Mode]):
    """How well a model accounts for a benchmark under a protocol. Signed, never clipped."""

    id: str
    model: ModelRef
    benchmark: BenchmarkRef
    protocol: str
    raw: float
    run: str | None = None
    metric: str | None = None
    ceiling: Ceiling | None = None
    normalised: float | None = None
    word_probability: str | None = None
    interval: Interval | None = None
    interval_reason: str | None = None
    null: NullTest | None = None
    unique_variance: UniqueVariance | None = None
    sensitivity: tuple[Variant, ...] = ()
    layer: LayerChoice | None = None
    n: Counts | None = None
    measures: dict[str, float | None] = Field(default_factory=dict)
    parts: tuple[PartScore, ...] | None = None
    baselines: tuple[BaselineScore, ...] | None = None
    warnings: tuple[ScoreWarning, ...] | None = None
    superseded_by: str | None = None

    @call
    def layers(self) -> Plan[Listed[LayerScore]]:
        """The layer curve in order of depth; empty for reading."""
        return (yield from layers_of(self.id))

    @call
    def chart(self, *, theme: str = "light") -> Plan[AnyChart]:
        """The layer curve as an Altair chart. Raises PackageMissing."""
        return (yield from drawn(chart_path(self.id), {"theme": theme}))

    def wide_row(self) -> Mapping[str, Any]:
        """The score in one row, with its ceiling, its interval and its counts."""
        ceiling, interval, n = self.ceiling or Ceiling(), self.interval, self.n or Counts()
        return {
            "score": self.id,
            "model": self.model.id,
            "revision": self.model.revision,
            "benchmark": self.benchmark.id,
            "benchmark_version": self.benchmark.version,
            "protocol": self.protocol,
            "metric": self.metric,
            "raw": self.raw,
            "ceiling": ceiling.value,
            "normalised": self.normalised,
            "low": None if interval is None else interval.low,
            "high": None if interval is None else interval.high,
            "layer": None if self.layer is None else self.layer.most_often,
            **{f"n_{name}": getattr(n, name) for name in Counts.model_fields},
            "warnings": ";".join(warning.code for warning in self.warnings or ()),
        }

    def long_rows(self) -> tuple[Mapping[str, Any], ...]:
        """A row a measure: `raw`, `normalised`, and every named number beside them."""
        found = {"raw": self.raw, "normalised": self.normalised, **self.measures}
        of = {"score": self.id, "model": self.model.id, "benchmark": self.benchmark.id, "protocol": self.protocol}
        return tuple({**of, "measure": name, "value": value} for name, value in found.items())

    def frame(self) -> pd.DataFrame:
        """A pandas frame of one row. Raises PackageMissing."""
        return from_rows([self.wide_row()])

    def long(self) -> pd.DataFrame:
        """A pandas frame, a row a measure. Raises PackageMissing."""
        return from_rows(self.long_rows())

    def folds(self) -> pd.DataFrame:
        """A pandas frame, a row a part and fold: `part`, `fold` (from 0), `raw`. Raises PackageMissing."""
        rows = [
            {"part": part.name, "fold": number, "raw": raw}
            for part in self.parts or ()
            for number, raw in enumerate(part.folds)
        ]
        return from_rows(rows, ("part", "fold", "raw"))

    def shares(self) -> pd.DataFrame:
        """A pandas frame, a row a part and participant, or a part and region of units. Raises PackageMissing."""
        rows = [
            {"part": part.name, "of": of, "name": share.name, "raw": share.raw, "n_units": share.n_units}
            for part in self.parts or ()
            for of, shares in (("participant", part.participants), ("region", part.regions))
            for share in shares
        ]
        return from_rows(rows, ("part", "of", "name", "raw", "n_units"))


class LayerPart(Result):
    """A layer's raw score in one part."""

    name: str
    raw: float | None = None


class LayerScore(Result):
    """One point of the layer curve; `depth` from 0 (first) to 1 (last), `reason` says why `raw` is None."""

    name: str
    depth: float | None = None
    raw: float | None = None
    reason: str | None = None
    parts: tuple[LayerPart, ...] | None = None

    def wide_row(self) -> Mapping[str, Any]:
        """The layer as the API's CSV has it: `<part>_raw` for each part."""
        raws = {f"{part.name}_raw": part.raw for part in self.parts or ()}
        return {"name": self.name, "depth": self.depth, "raw": self.raw, "reason": self.reason, **raws}

    def long_rows(self) -> tuple[Mapping[str, Any], ...]:
        """The layer in each part; where there are none, the layer itself."""
        of = {"name": self.name, "depth": self.depth}
        whole = {**of, "part": None, "raw": self.raw}
        return tuple({**of, "part": part.name, "raw": part.raw} for part in self.parts or ()) or (whole,)


class Participant(Result):
    """The raw score of one participant in one part."""

    part: str
    participant: str
    raw: float | None = None
    n_units: int | None = None


def layers_of(score_id: str) -> Plan[Listed[LayerScore]]:
    """The layer curve of a score."""
    return (yield from everything(LayerScore, f"/v1/scores/{segment(score_id)}/layers"))


def chart_path(score_id: str, format: str = "vl.json") -> str:
    """Where the chart of a score is."""
    return f"/v1/scores/{segment(score_id)}/chart.{segment(format)}"
