"""What a metric answers: everything a score says beside its identity."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import Counts, Interval, LayerChoice, LayerScore, PartScore, ScoreWarning


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The numbers of one comparison; what a metric does not have stays empty."""

    raw: float
    n: Counts
    measures: dict[str, float]
    warnings: tuple[ScoreWarning, ...]
    interval: Interval | None = None
    parts: tuple[PartScore, ...] = ()
    layer: LayerChoice | None = None
    layers: tuple[LayerScore, ...] = ()
    word_probability: str | None = None
