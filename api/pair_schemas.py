"""Pairs of base and tuned models on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scoring.properties import Tuning
from storage.pairs import Missing, Named
from storage.pairs import Pair as StoredPair
from storage.pairs import Side as StoredSide

from .csv_tables import table
from .requests import LongText, Name, PageToken, Text, listed
from .schemas import Wire


class PairsFilter(BaseModel):
    """Which pairs are meant, and on what."""

    model_config = ConfigDict(extra="forbid")

    protocol: Name = Field(default="grouped", description="The protocol of every score.")
    benchmarks: LongText | None = Field(
        default=None, description="Names separated by commas; all with scores but synthetic ones when absent."
    )
    family: LongText | None = Field(
        default=None, description="Only pairs whose tuned model is of one of these families, separated by commas."
    )
    tuning: Tuning | None = Field(default=None, description="Only tuned models of this tuning: `instruct`, `ablation`.")
    base: Text | None = Field(default=None, description="Only pairs of this base.")
    against: Literal["furthest", "nearest"] = Field(
        default="furthest",
        description="The scored ancestor that a model is compared with: furthest back, as `paired` does, or nearest.",
    )

    def names(self) -> tuple[str, ...]:
        """The benchmarks asked for, each once."""
        return listed(self.benchmarks or "")

    def passes(self, pair: Pair | Named) -> bool:
        """Whether a pair is wanted."""
        families = listed(self.family or "")
        is_of_family = not families or pair.family in families
        return is_of_family and self.tuning in (None, pair.tuning) and self.base in (None, pair.base)


class PairsQuery(PairsFilter):
    """Which pairs are compared, on what, and how they are written."""

    layers: bool = Field(default=True, description="Send the layer curves, too; of JSON.")
    format: Literal["json", "csv"] | None = Field(
        default=None, description="The answer's format; when absent, the header Accept decides."
    )
    page_size: int = Field(default=100, ge=1, le=200, description="Pairs on a page of JSON; CSV is whole.")
    page_token: PageToken | None = Field(default=None, description="`next_page_token` of the page before.")


class CurvePoint(Wire):
    """A point of a layer curve; `depth` is relative, 0 the first layer and 1 the last."""

    name: str
    depth: float
    raw: float | None


class PairSide(Wire):
    """The score of one of the two, with its layer curve."""

    score: str | None = Field(description="Id of the score; null of a published number.")
    raw: float
    normalised: float | None
    layers: list[CurvePoint]


class PairInterval(Wire):
    """The 95 % interval of a difference, from paired resamples of passages."""

    level: float
    low: float
    high: float
    method: str
    n: int


class PairBenchmark(Wire):
    """The two on one benchmark; `reason` says why there is no difference, or no interval of it."""

    benchmark: str
    base: PairSide | None
    tuned: PairSide | None
    difference: float | None = Field(description="Raw of the tuned model less raw of the base.")
    percent: float | None = Field(description="The difference in per cent of the base; null where that is not above 0.")
    interval: PairInterval | None
    reason: Missing | None


class Pair(Wire):
    """A scored model and a scored one of its ancestors: the furthest back, or the nearest."""

    object: Literal["pair"] = "pair"
    base: str
    tuned: str
    tuning: str | None
    family: str | None
    hops: int = Field(description="1 where the tuned model was made from the base itself.")
    between: list[str] = Field(description="Ancestors between the two.")
    source: str = Field(description="Who says that the one comes from the other.")
    benchmarks: list[PairBenchmark]


CSV_COLUMNS = (
    "base",
    "tuned",
    "tuning",
    "family",
    "hops",
    "benchmark",
    "base_raw",
    "tuned_raw",
    "difference",
    "percent",
    "low",
    "high",
    "reason",
    "base_score",
    "tuned_score",
)


def pairs_csv(pairs: Iterable[Pair]) -> str:
    """A row for each pair and benchmark."""
    return table(CSV_COLUMNS, (_csv_row(pair, one) for pair in pairs for one in pair.benchmarks))


def _csv_row(pair: Pair, one: PairBenchmark) -> tuple[object, ...]:
    base, tuned, interval = one.base, one.tuned, one.interval
    return (
        *(pair.base, pair.tuned, pair.tuning, pair.family, pair.hops, one.benchmark),
        *(base and base.raw, tuned and tuned.raw, one.difference, one.percent),
        *(interval and interval.low, interval and interval.high, one.reason),
        *(base and base.score, tuned and tuned.score),
    )


def pair_view(pair: StoredPair) -> Pair:
    """A pair as it is sent."""
    return Pair(
        base=pair.base,
        tuned=pair.tuned,
        tuning=pair.tuning,
        family=pair.family,
        hops=pair.hops,
        between=list(pair.between),
        source=pair.source,
        benchmarks=[
            PairBenchmark(
                benchmark=one.benchmark,
                base=_side(one.base),
                tuned=_side(one.tuned),
                difference=one.difference,
                percent=one.percent,
                interval=None
                if one.interval is None
                else PairInterval.model_validate(one.interval, from_attributes=True),
                reason=one.reason,
            )
            for one in pair.benchmarks
        ],
    )


def _side(side: StoredSide | None) -> PairSide | None:
    if side is None:
        return None
    points = [CurvePoint(name=point.name, depth=point.depth, raw=point.raw) for point in side.layers]
    return PairSide(score=side.score_id, raw=side.raw, normalised=side.normalised, layers=points)
